/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef OPENGYM_ACTION_CHECK_H
#define OPENGYM_ACTION_CHECK_H

#include "container.h"
#include "spaces.h"

#include <string>

namespace ns3
{

/**
 * Compares an action with the space that was announced for it, before a scenario casts it.
 *
 * Types, element types, sizes, names and the range of a Discrete must agree. The bounds of a Box
 * are not looked at: scenarios declare them loosely.
 *
 * @param space the announced space
 * @param value what the agent sent
 * @return what is wrong, in words; empty when nothing is
 */
std::string OpenGymMismatch(Ptr<OpenGymSpace> space, Ptr<OpenGymDataContainer> value);

} // namespace ns3

#endif // OPENGYM_ACTION_CHECK_H
