/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "action-check.h"

#include <cstdint>

namespace ns3
{

namespace
{

std::string Check(OpenGymSpace* space, OpenGymDataContainer* value, const std::string& where);

std::string
CheckDiscrete(OpenGymDiscreteSpace& space,
              OpenGymDiscreteContainer* value,
              const std::string& where)
{
    if (!value)
    {
        return where + " is no Discrete value";
    }
    if (space.GetN() > 0 && value->GetValue() >= static_cast<uint32_t>(space.GetN()))
    {
        return where + ": " + std::to_string(value->GetValue()) + " is not below " +
               std::to_string(space.GetN());
    }
    return "";
}

template <typename T>
bool
HasSize(OpenGymDataContainer* value, uint64_t size)
{
    auto box = dynamic_cast<OpenGymBoxContainer<T>*>(value);
    return box && box->GetSize() == size;
}

std::string
CheckBox(OpenGymBoxSpace& space, OpenGymDataContainer* value, const std::string& where)
{
    uint64_t size = 1;
    for (auto length : space.GetShape())
    {
        size *= length;
    }
    bool fits = false;
    switch (space.GetWireType())
    {
    case ns3opengym::INT:
        fits = HasSize<int32_t>(value, size);
        break;
    case ns3opengym::UINT:
        fits = HasSize<uint32_t>(value, size);
        break;
    case ns3opengym::DOUBLE:
        fits = HasSize<double>(value, size);
        break;
    default:
        fits = HasSize<float>(value, size);
    }
    return fits ? ""
                : where + " is no Box of " + std::to_string(size) + " " +
                      ns3opengym::Dtype_Name(space.GetWireType()) + " values";
}

std::string
CheckTuple(OpenGymTupleSpace& space, OpenGymTupleContainer* value, const std::string& where)
{
    if (!value || value->GetSize() != space.GetSize())
    {
        return where + " is no Tuple of " + std::to_string(space.GetSize());
    }
    for (uint32_t i = 0; i < space.GetSize(); i++)
    {
        auto found = Check(PeekPointer(space.Get(i)),
                           PeekPointer(value->Get(i)),
                           where + "[" + std::to_string(i) + "]");
        if (!found.empty())
        {
            return found;
        }
    }
    return "";
}

std::string
CheckDict(OpenGymDictSpace& space, OpenGymDictContainer* value, const std::string& where)
{
    if (!value || value->GetSize() != space.GetSize())
    {
        return where + " is no Dict of " + std::to_string(space.GetSize());
    }
    for (uint32_t i = 0; i < space.GetSize(); i++)
    {
        const auto& key = space.GetKey(i);
        auto element = value->Get(key);
        if (!element)
        {
            return where + " has no '" + key + "'";
        }
        auto found =
            Check(PeekPointer(space.Get(key)), PeekPointer(element), where + "['" + key + "']");
        if (!found.empty())
        {
            return found;
        }
    }
    return "";
}

std::string
Check(OpenGymSpace* space, OpenGymDataContainer* value, const std::string& where)
{
    if (auto discrete = dynamic_cast<OpenGymDiscreteSpace*>(space))
    {
        return CheckDiscrete(*discrete, dynamic_cast<OpenGymDiscreteContainer*>(value), where);
    }
    if (auto box = dynamic_cast<OpenGymBoxSpace*>(space))
    {
        return CheckBox(*box, value, where);
    }
    if (auto tuple = dynamic_cast<OpenGymTupleSpace*>(space))
    {
        return CheckTuple(*tuple, dynamic_cast<OpenGymTupleContainer*>(value), where);
    }
    if (auto dict = dynamic_cast<OpenGymDictSpace*>(space))
    {
        return CheckDict(*dict, dynamic_cast<OpenGymDictContainer*>(value), where);
    }
    return ""; // a scenario's own kind of space: only the scenario knows
}

} // namespace

std::string
OpenGymMismatch(Ptr<OpenGymSpace> space, Ptr<OpenGymDataContainer> value)
{
    return Check(PeekPointer(space), PeekPointer(value), "action");
}

} // namespace ns3
