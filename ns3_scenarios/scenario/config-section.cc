/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "config-section.h"

#include <fstream>
#include <utility>

namespace splitsim
{

namespace
{

constexpr int MOST_LEVELS = 64;
/// Characters of a value in an error.
constexpr std::size_t LONGEST_VALUE = 200;

} // namespace

nlohmann::json
ReadJsonFile(const std::string& path)
{
    std::ifstream file(path);
    if (!file)
    {
        throw ConfigError(path + ": can't be read; valid: a JSON file as `splitsim` writes it");
    }
    // What shows and compares values goes as deep as they do.
    const auto notTooDeep = [&path](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
        if (depth > MOST_LEVELS)
        {
            throw ConfigError(path + ": nested deeper than " + std::to_string(MOST_LEVELS));
        }
        return true;
    };
    auto json = nlohmann::json::parse(file, notTooDeep, false);
    if (json.is_discarded())
    {
        throw ConfigError(path + ": is no valid JSON");
    }
    return json;
}

Section::Section(const nlohmann::json& json, std::string path)
    : m_json(json),
      m_path(std::move(path))
{
    if (!m_json.is_object())
    {
        throw ConfigError(m_path.substr(0, m_path.find_last_of('.')) + ": expected an object");
    }
}

Section
Section::operator[](const std::string& key) const
{
    return {At(key), m_path + key + "."};
}

std::vector<Section>
Section::List(const std::string& key) const
{
    Require(At(key).is_array(), key, "a list");
    std::vector<Section> sections;
    for (std::size_t i = 0; i < At(key).size(); i++)
    {
        sections.emplace_back(At(key)[i], m_path + key + "[" + std::to_string(i) + "].");
    }
    return sections;
}

bool
Section::Has(const std::string& key) const
{
    auto it = m_json.find(key);
    return it != m_json.end() && !it->is_null();
}

const nlohmann::json&
Section::At(const std::string& key) const
{
    auto it = m_json.find(key);
    if (it == m_json.end())
    {
        throw ConfigError(m_path + key + ": missing");
    }
    return *it;
}

void
Section::Read(const std::string& key, Range& range) const
{
    std::vector<double> pair;
    Read(key, pair);
    Require(pair.size() == 2 && pair[0] <= pair[1], key, "[low, high] with low <= high");
    range = {pair[0], pair[1]};
}

void
Section::Read(const std::string& key, Point& position) const
{
    std::vector<double> xyz;
    Read(key, xyz);
    Require(xyz.size() == 3, key, "[x, y, z]");
    position = {xyz[0], xyz[1], xyz[2]};
}

void
Section::Read(const std::string& key, std::vector<Point>& positions) const
{
    std::vector<std::vector<double>> rows;
    Read(key, rows);
    positions.clear();
    for (const auto& xyz : rows)
    {
        Require(xyz.size() == 3, key, "rows of [x, y, z]");
        positions.push_back({xyz[0], xyz[1], xyz[2]});
    }
}

std::string
Section::ReadName(const std::string& key, std::initializer_list<std::string> valid) const
{
    std::string name;
    Read(key, name);
    std::string names;
    bool known = false;
    for (const auto& one : valid)
    {
        known = known || one == name;
        names += (names.empty() ? "" : ", ") + one;
    }
    Require(known, key, names);
    return name;
}

void
Section::Require(bool condition, const std::string& key, const std::string& valid) const
{
    if (!condition)
    {
        throw ConfigError(m_path + key + ": " + Shown(key) + " is not valid; valid: " + valid);
    }
}

std::string
Section::Shown(const std::string& key) const
{
    const auto text = At(key).dump();
    return text.size() <= LONGEST_VALUE ? text : text.substr(0, LONGEST_VALUE - 3) + "...";
}

} // namespace splitsim
