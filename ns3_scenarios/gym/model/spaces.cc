/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "spaces.h"

#include "ns3/log.h"

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("OpenGymSpace");

NS_OBJECT_ENSURE_REGISTERED(OpenGymSpace);
NS_OBJECT_ENSURE_REGISTERED(OpenGymDiscreteSpace);
NS_OBJECT_ENSURE_REGISTERED(OpenGymBoxSpace);
NS_OBJECT_ENSURE_REGISTERED(OpenGymTupleSpace);
NS_OBJECT_ENSURE_REGISTERED(OpenGymDictSpace);

namespace
{

void
PrintShape(std::ostream& where, const std::vector<uint32_t>& shape)
{
    where << "(";
    for (auto length : shape)
    {
        where << length << ",";
    }
    where << ")";
}

} // namespace

ns3opengym::Dtype
OpenGymDtypeFromName(const std::string& name)
{
    if (name == "double" || name == "float64")
    {
        return ns3opengym::DOUBLE;
    }
    if (name == "float" || name == "float32")
    {
        return ns3opengym::FLOAT;
    }
    if (name.rfind("uint", 0) == 0 || name.rfind("unsigned", 0) == 0)
    {
        return ns3opengym::UINT;
    }
    if (name.rfind("int", 0) == 0 || name == "char" || name == "short" || name == "long" ||
        name == "signed char" || name == "long long")
    {
        return ns3opengym::INT;
    }
    return ns3opengym::FLOAT;
}

OpenGymSpace::OpenGymSpace() = default;
OpenGymSpace::~OpenGymSpace() = default;

std::ostream&
OpenGymSpace::PrintTo(std::ostream& where, const OpenGymSpace* space)
{
    if (!space)
    {
        return where << "(null)";
    }
    space->Print(where);
    return where;
}

TypeId
OpenGymSpace::GetTypeId()
{
    static TypeId tid = TypeId("ns3::OpenGymSpace").SetParent<Object>().SetGroupName("OpenGym");
    return tid;
}

OpenGymDiscreteSpace::OpenGymDiscreteSpace() = default;

OpenGymDiscreteSpace::OpenGymDiscreteSpace(int n)
    : m_n(n)
{
}

OpenGymDiscreteSpace::~OpenGymDiscreteSpace() = default;

TypeId
OpenGymDiscreteSpace::GetTypeId()
{
    static TypeId tid = TypeId("ns3::OpenGymDiscreteSpace")
                            .SetParent<OpenGymSpace>()
                            .SetGroupName("OpenGym")
                            .AddConstructor<OpenGymDiscreteSpace>();
    return tid;
}

ns3opengym::SpaceDescription
OpenGymDiscreteSpace::GetSpaceDescription()
{
    ns3opengym::DiscreteSpace space;
    space.set_n(m_n);
    ns3opengym::SpaceDescription description;
    description.set_type(ns3opengym::Discrete);
    description.mutable_space()->PackFrom(space);
    return description;
}

void
OpenGymDiscreteSpace::Print(std::ostream& where) const
{
    where << " DiscreteSpace N: " << m_n;
}

int
OpenGymDiscreteSpace::GetN()
{
    return m_n;
}

OpenGymBoxSpace::OpenGymBoxSpace() = default;

OpenGymBoxSpace::OpenGymBoxSpace(float low,
                                 float high,
                                 std::vector<uint32_t> shape,
                                 std::string dtype)
    : m_low(low),
      m_high(high),
      m_shape(shape),
      m_dtypeName(dtype),
      m_dtype(OpenGymDtypeFromName(dtype))
{
}

OpenGymBoxSpace::OpenGymBoxSpace(std::vector<float> low,
                                 std::vector<float> high,
                                 std::vector<uint32_t> shape,
                                 std::string dtype)
    : m_shape(shape),
      m_dtypeName(dtype),
      m_dtype(OpenGymDtypeFromName(dtype)),
      m_lowVec(low),
      m_highVec(high)
{
}

OpenGymBoxSpace::~OpenGymBoxSpace() = default;

TypeId
OpenGymBoxSpace::GetTypeId()
{
    static TypeId tid = TypeId("ns3::OpenGymBoxSpace")
                            .SetParent<OpenGymSpace>()
                            .SetGroupName("OpenGym")
                            .AddConstructor<OpenGymBoxSpace>();
    return tid;
}

ns3opengym::SpaceDescription
OpenGymBoxSpace::GetSpaceDescription()
{
    ns3opengym::BoxSpace space;
    space.set_low(m_low);
    space.set_high(m_high);
    space.set_dtype(m_dtype);
    for (auto length : m_shape)
    {
        space.add_shape(length);
    }
    ns3opengym::SpaceDescription description;
    description.set_type(ns3opengym::Box);
    description.mutable_space()->PackFrom(space);
    return description;
}

void
OpenGymBoxSpace::Print(std::ostream& where) const
{
    where << " BoxSpace Low: " << m_low << " High: " << m_high << " Shape: ";
    PrintShape(where, m_shape);
    where << " Dtype: " << m_dtypeName;
}

float
OpenGymBoxSpace::GetLow()
{
    return m_low;
}

float
OpenGymBoxSpace::GetHigh()
{
    return m_high;
}

std::vector<uint32_t>
OpenGymBoxSpace::GetShape()
{
    return m_shape;
}

ns3opengym::Dtype
OpenGymBoxSpace::GetWireType() const
{
    return m_dtype;
}

OpenGymTupleSpace::OpenGymTupleSpace() = default;
OpenGymTupleSpace::~OpenGymTupleSpace() = default;

TypeId
OpenGymTupleSpace::GetTypeId()
{
    static TypeId tid = TypeId("ns3::OpenGymTupleSpace")
                            .SetParent<OpenGymSpace>()
                            .SetGroupName("OpenGym")
                            .AddConstructor<OpenGymTupleSpace>();
    return tid;
}

ns3opengym::SpaceDescription
OpenGymTupleSpace::GetSpaceDescription()
{
    ns3opengym::TupleSpace space;
    for (const auto& element : m_tuple)
    {
        *space.add_element() = element->GetSpaceDescription();
    }
    ns3opengym::SpaceDescription description;
    description.set_type(ns3opengym::Tuple);
    description.mutable_space()->PackFrom(space);
    return description;
}

void
OpenGymTupleSpace::Print(std::ostream& where) const
{
    where << " TupleSpace: ";
    for (const auto& element : m_tuple)
    {
        element->Print(where);
        where << ";";
    }
}

bool
OpenGymTupleSpace::Add(Ptr<OpenGymSpace> space)
{
    m_tuple.push_back(space);
    return true;
}

Ptr<OpenGymSpace>
OpenGymTupleSpace::Get(uint32_t idx)
{
    return idx < m_tuple.size() ? m_tuple[idx] : nullptr;
}

std::size_t
OpenGymTupleSpace::GetSize() const
{
    return m_tuple.size();
}

OpenGymDictSpace::OpenGymDictSpace() = default;
OpenGymDictSpace::~OpenGymDictSpace() = default;

TypeId
OpenGymDictSpace::GetTypeId()
{
    static TypeId tid = TypeId("ns3::OpenGymDictSpace")
                            .SetParent<OpenGymSpace>()
                            .SetGroupName("OpenGym")
                            .AddConstructor<OpenGymDictSpace>();
    return tid;
}

ns3opengym::SpaceDescription
OpenGymDictSpace::GetSpaceDescription()
{
    ns3opengym::DictSpace space;
    for (const auto& [key, element] : m_dict)
    {
        auto description = element->GetSpaceDescription();
        description.set_name(key);
        *space.add_element() = description;
    }
    ns3opengym::SpaceDescription description;
    description.set_type(ns3opengym::Dict);
    description.mutable_space()->PackFrom(space);
    return description;
}

void
OpenGymDictSpace::Print(std::ostream& where) const
{
    where << " DictSpace: ";
    for (const auto& [key, element] : m_dict)
    {
        where << key << ":";
        element->Print(where);
        where << ";";
    }
}

bool
OpenGymDictSpace::Add(std::string key, Ptr<OpenGymSpace> space)
{
    for (auto& [name, element] : m_dict)
    {
        if (name == key)
        {
            element = space;
            return true;
        }
    }
    m_dict.emplace_back(key, space);
    return true;
}

Ptr<OpenGymSpace>
OpenGymDictSpace::Get(std::string key)
{
    for (const auto& [name, element] : m_dict)
    {
        if (name == key)
        {
            return element;
        }
    }
    return nullptr;
}

std::size_t
OpenGymDictSpace::GetSize() const
{
    return m_dict.size();
}

const std::string&
OpenGymDictSpace::GetKey(std::size_t idx) const
{
    return m_dict.at(idx).first;
}

} // namespace ns3
