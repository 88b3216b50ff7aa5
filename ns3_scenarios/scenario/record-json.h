/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_RECORD_JSON_H
#define SPLITSIM_RECORD_JSON_H

#include "../inference/model/delivery-record.h"

#include <nlohmann/json.hpp>

namespace splitsim
{

/**
 * @param record one finished request
 * @return the record as it travels in `info`: scalars by name, arrays as base64 of their
 *         little-endian bytes
 */
nlohmann::json ToJson(const DeliveryRecord& record);

} // namespace splitsim

#endif // SPLITSIM_RECORD_JSON_H
