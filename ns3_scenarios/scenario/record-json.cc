/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "record-json.h"

#include <bit>
#include <string>
#include <vector>

namespace splitsim
{

namespace
{

static_assert(std::endian::native == std::endian::little,
              "arrays travel as little-endian bytes and are not swapped here");

template <typename T>
std::string
Base64(const std::vector<T>& values)
{
    static constexpr char ALPHABET[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
    const std::size_t size = values.size() * sizeof(T);
    std::string text;
    text.reserve((size + 2) / 3 * 4);
    for (std::size_t i = 0; i < size; i += 3)
    {
        const std::size_t count = std::min<std::size_t>(3, size - i);
        uint32_t group = bytes[i] << 16;
        group |= count > 1 ? bytes[i + 1] << 8 : 0;
        group |= count > 2 ? bytes[i + 2] : 0;
        text += ALPHABET[group >> 18];
        text += ALPHABET[(group >> 12) & 63];
        text += count > 1 ? ALPHABET[(group >> 6) & 63] : '=';
        text += count > 2 ? ALPHABET[group & 63] : '=';
    }
    return text;
}

} // namespace

nlohmann::json
ToJson(const DeliveryRecord& record)
{
    return {
        {"request", record.request},
        {"action", record.action},
        {"split", record.split},
        {"codec", record.codec},
        {"prompt_tokens", record.promptTokens},
        {"output_tokens", record.outputTokens},
        {"generated_tokens", record.generatedTokens},
        {"fragments_per_token", record.fragmentsPerToken},
        {"failed", record.failed},
        {"fail_reason", record.failReason},
        {"arrival_s", record.arrivalS},
        {"latency_s", record.latencyS},
        {"outcome", Base64(record.outcome)},
        {"delay_s", Base64(record.delayS)},
        {"retries", Base64(record.attempts)},
        {"token_time_s", Base64(record.tokenTimeS)},
        {"downlink_outcome", Base64(record.downlinkOutcome)},
        {"uplink_packets", record.uplinkPackets},
        {"uplink_bytes", record.uplinkBytes},
        {"downlink_bytes", record.downlinkBytes},
        {"ue_compute_s", record.ueComputeS},
        {"edge_compute_s", record.edgeComputeS},
        {"edge_queue_s", record.edgeQueueS},
        {"ue_compute_energy_j", record.ueComputeEnergyJ},
        {"ue_radio_energy_j", record.ueRadioEnergyJ},
    };
}

} // namespace splitsim
