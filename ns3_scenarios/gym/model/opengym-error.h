/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef OPENGYM_ERROR_H
#define OPENGYM_ERROR_H

#include <stdexcept>

namespace ns3
{

/**
 * What the agent sent can't be understood, or the wire broke.
 *
 * A scenario may catch it. One that doesn't, as scenarios written for ns3-gym, ends with this
 * error's text as one line on stderr and status 2, where C++ would abort.
 */
class OpenGymError : public std::runtime_error
{
  public:
    using std::runtime_error::runtime_error;
};

} // namespace ns3

#endif // OPENGYM_ERROR_H
