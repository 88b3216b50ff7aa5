/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * libFuzzer's mutator for the targets that read JSON: mostly it changes values in the document, so
 * that what comes out is JSON again and reaches what lies behind the parser.
 */
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(uint8_t* data, std::size_t size, std::size_t maxSize);

namespace
{

using Json = nlohmann::json;

/// What a field may hold that nobody expects.
const std::vector<Json>&
Values()
{
    static const std::vector<Json> values{nullptr,
                                          true,
                                          false,
                                          0,
                                          1,
                                          -1,
                                          2,
                                          255,
                                          65536,
                                          4294967296,
                                          -2147483649,
                                          9223372036854775807,
                                          0.5,
                                          -0.0,
                                          1e-300,
                                          1e9,
                                          1e18,
                                          1e300,
                                          -1e300,
                                          "",
                                          "a",
                                          "a\nb",
                                          "wifi",
                                          "lte",
                                          "replay",
                                          "track",
                                          Json::array(),
                                          Json::object(),
                                          {0, 0},
                                          {1, 0},
                                          {0, 1e300},
                                          {{0, 1}, {1, 2}},
                                          {{"a", 1}},
                                          {0.0, 1.0, 2.0}};
    return values;
}

/** @return every value below @p root, itself included */
void
Collect(Json& root, std::vector<Json*>& found)
{
    found.push_back(&root);
    if (root.is_structured())
    {
        for (auto& child : root)
        {
            Collect(child, found);
        }
    }
}

void
Change(Json& value, const std::vector<Json*>& all, std::minstd_rand& random)
{
    switch (random() % 6)
    {
    case 0:
        value = Json(*all[random() % all.size()]);
        break;
    case 1:
        if (value.is_structured() && !value.empty())
        {
            auto at = value.begin();
            std::advance(at, random() % value.size());
            value.erase(at);
            break;
        }
        [[fallthrough]];
    case 2:
        if (value.is_number())
        {
            const double factors[] = {-1, 0, 0.5, 2, 10, 1e6};
            value = value.get<double>() * factors[random() % 6];
            break;
        }
        [[fallthrough]];
    case 3:
        if (value.is_array() && !value.empty())
        {
            const auto again = value[random() % value.size()];
            value.insert(value.begin() + random() % (value.size() + 1), again);
            break;
        }
        [[fallthrough]];
    default:
        value = Values()[random() % Values().size()];
    }
}

} // namespace

extern "C" std::size_t
LLVMFuzzerCustomMutator(uint8_t* data, std::size_t size, std::size_t maxSize, unsigned int seed)
{
    std::minstd_rand random(seed);
    auto document = Json::parse(data, data + size, nullptr, false);
    if (document.is_discarded() || random() % 8 == 0)
    {
        return LLVMFuzzerMutate(data, size, maxSize);
    }
    for (auto changes = 1 + random() % 3; changes > 0; changes--)
    {
        std::vector<Json*> all;
        Collect(document, all);
        const auto chosen = all[random() % all.size()];
        Change(*chosen, all, random);
    }
    const auto text = document.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > maxSize)
    {
        return LLVMFuzzerMutate(data, size, maxSize);
    }
    std::memcpy(data, text.data(), text.size());
    return text.size();
}
