/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef OPENGYM_UNCAUGHT_ERROR_H
#define OPENGYM_UNCAUGHT_ERROR_H

namespace ns3
{

/**
 * From now on, an OpenGymError that nobody catches is printed as one line and ends the process with
 * status 2. Every other uncaught exception goes to the handler that was there before.
 */
void SpeakUpWhenUncaught();

} // namespace ns3

#endif // OPENGYM_UNCAUGHT_ERROR_H
