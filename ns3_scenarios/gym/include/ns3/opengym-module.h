/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef NS3_MODULE_OPENGYM
#define NS3_MODULE_OPENGYM

#include "../../model/container.h"
#include "../../model/opengym_env.h"
#include "../../model/opengym_interface.h"
#include "../../model/spaces.h"

#endif // NS3_MODULE_OPENGYM
