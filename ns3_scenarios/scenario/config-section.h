/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_CONFIG_SECTION_H
#define SPLITSIM_CONFIG_SECTION_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace splitsim
{

/** The scenario file can't be used; the text names the field, the value and what is valid. */
class ConfigError : public std::runtime_error
{
  public:
    using std::runtime_error::runtime_error;
};

/** A closed interval to draw from. */
struct Range
{
    double low{0};
    double high{0};
};

/** A point in metres; z is up. */
struct Point
{
    double xM{0};
    double yM{0};
    double zM{0};
};

/**
 * @param path a JSON file as `splitsim` writes it
 * @return what is in it
 * @throws ConfigError when it can't be read
 */
nlohmann::json ReadJsonFile(const std::string& path);

/** A JSON object that knows where it stands in the file, so that an error can say so. */
class Section
{
  public:
    /**
     * @param json an object; must outlive this
     * @param path what stands before its keys in error messages, as "link."
     * @throws ConfigError when it is no object
     */
    Section(const nlohmann::json& json, std::string path);

    /** @param key of an object in this one. @return that object */
    Section operator[](const std::string& key) const;
    /** @param key of a list of objects. @return the objects */
    std::vector<Section> List(const std::string& key) const;
    /** @param key of a field. @return whether it is there and not null */
    bool Has(const std::string& key) const;
    /** @param key of a field. @return its value @throws ConfigError when it is missing */
    const nlohmann::json& At(const std::string& key) const;

    /** Reads a field into @p value. @param key of it @throws ConfigError missing or wrong type */
    template <typename T>
    void Read(const std::string& key, T& value) const
    {
        if (!Holds(At(key), value))
        {
            throw ConfigError(m_path + key + ": " + Shown(key) + " has the wrong type");
        }
        At(key).get_to(value);
    }

    void Read(const std::string& key, Range& range) const;
    void Read(const std::string& key, Point& position) const;
    void Read(const std::string& key, std::vector<Point>& positions) const;

    /** Reads a name. @param key of it @param valid the names that are known @return the name */
    std::string ReadName(const std::string& key, std::initializer_list<std::string> valid) const;

    /** @param condition that must hold @param key to blame @param valid what would be valid */
    void Require(bool condition, const std::string& key, const std::string& valid) const;

  private:
    /** @return whether a conversion to the second argument's type changes nothing */
    static bool Holds(const nlohmann::json& json, const bool&)
    {
        return json.is_boolean();
    }

    static bool Holds(const nlohmann::json& json, const std::string&)
    {
        return json.is_string();
    }

    template <typename T>
    static bool Holds(const nlohmann::json& json, const T&)
    {
        static_assert(std::is_arithmetic_v<T>);
        if constexpr (std::is_floating_point_v<T>)
        {
            return json.is_number();
        }
        if (json.is_number_unsigned())
        {
            return json.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<T>::max());
        }
        // Compared as the number that it is: to convert it first could be undefined.
        return json.is_number() &&
               json.get<double>() >= static_cast<double>(std::numeric_limits<T>::lowest()) &&
               json.get<double>() <= static_cast<double>(std::numeric_limits<T>::max()) &&
               json.get<double>() == std::trunc(json.get<double>());
    }

    template <typename T>
    static bool Holds(const nlohmann::json& json, const std::vector<T>&)
    {
        return json.is_array() && std::all_of(json.begin(), json.end(), [](const auto& element) {
                   return Holds(element, T{});
               });
    }

    /** @param key of a field. @return its value as a short text */
    std::string Shown(const std::string& key) const;

    const nlohmann::json& m_json;
    std::string m_path;
};

} // namespace splitsim

#endif // SPLITSIM_CONFIG_SECTION_H
