/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * All that a scenario program of one's own needs; see docs/own-scenario-cpp.md.
 */
#ifndef SPLITSIM_MODULE_H
#define SPLITSIM_MODULE_H

#include "../../inference/helper/split-inference-helper.h"
#include "../../links/backhaul.h"
#include "../../links/environment.h"
#include "../../links/link.h"
#include "../../mobility/mobility-builder.h"
#include "../../scenario/scenario-program.h"
#include "../../scenario/world.h"
#include "../../traffic/traffic.h"

#endif // SPLITSIM_MODULE_H
