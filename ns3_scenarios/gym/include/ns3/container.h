/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * ns3-gym installs its headers under ns3/; scenarios include them one by one or by the module.
 */
#include "../../model/container.h"
