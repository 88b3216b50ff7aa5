/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * The file that says what a preview shows.
 */
#include "../scenario/preview.h"
#include "judge.h"

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    static const splitsim::MemoryFile file;
    try
    {
        splitsim::PreviewConfig::Load(file.Hold(data, size));
    }
    catch (const splitsim::ConfigError& error)
    {
        splitsim::JudgeRefusal(error.what());
    }
    return 0;
}
