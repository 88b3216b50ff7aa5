/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * The file with the gains of an LTE channel; the input's first byte says for how many resource blocks.
 */
#include "../links/trace-fading-loss-model.h"
#include "../scenario/config-section.h"
#include "judge.h"

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    if (size == 0)
    {
        return 0;
    }
    const uint32_t resourceBlocks = 1 + data[0] % 8;
    auto trace = ns3::CreateObject<splitsim::FadingTrace>();
    const auto load = [trace, resourceBlocks](const std::string& path) {
        trace->Load(path, resourceBlocks, 0.001, 1);
    };
    if (!splitsim::IsAccepted(data + 1, size - 1, load))
    {
        return 0;
    }
    for (const double timeS : {0.0, 0.0015, 7.0})
    {
        if (trace->GetGains(0, 1, timeS).size() != resourceBlocks)
        {
            std::abort();
        }
    }
    return 0;
}
