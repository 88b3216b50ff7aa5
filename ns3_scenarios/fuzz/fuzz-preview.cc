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
    splitsim::IsAccepted(data, size, [](const std::string& path) {
        splitsim::PreviewConfig::Load(path);
    });
    return 0;
}
