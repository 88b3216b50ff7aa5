/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "container.h"

#include "ns3/log.h"

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("OpenGymContainer");

NS_OBJECT_ENSURE_REGISTERED(OpenGymDataContainer);
NS_OBJECT_ENSURE_REGISTERED(OpenGymDiscreteContainer);
NS_OBJECT_ENSURE_REGISTERED(OpenGymTupleContainer);
NS_OBJECT_ENSURE_REGISTERED(OpenGymDictContainer);

namespace
{

/// Deeper nesting than this is taken for an attack on the stack, not for data.
constexpr int MAX_DEPTH = 16;

Ptr<OpenGymDataContainer> Read(const ns3opengym::DataContainer& message, int depth);

template <typename T, typename Values>
Ptr<OpenGymDataContainer>
MakeBox(const ns3opengym::BoxDataContainer& box, const Values& values)
{
    std::vector<uint32_t> shape(box.shape().begin(), box.shape().end());
    auto container = CreateObject<OpenGymBoxContainer<T>>(shape);
    container->SetData(std::vector<T>(values.begin(), values.end()));
    return container;
}

Ptr<OpenGymDataContainer>
ReadDiscrete(const google::protobuf::Any& data)
{
    ns3opengym::DiscreteDataContainer discrete;
    if (!data.UnpackTo(&discrete))
    {
        return nullptr;
    }
    auto container = CreateObject<OpenGymDiscreteContainer>();
    container->SetValue(static_cast<uint32_t>(discrete.data()));
    return container;
}

Ptr<OpenGymDataContainer>
ReadBox(const google::protobuf::Any& data)
{
    ns3opengym::BoxDataContainer box;
    if (!data.UnpackTo(&box))
    {
        return nullptr;
    }
    switch (box.dtype())
    {
    case ns3opengym::INT:
        return MakeBox<int32_t>(box, box.intdata());
    case ns3opengym::UINT:
        return MakeBox<uint32_t>(box, box.uintdata());
    case ns3opengym::DOUBLE:
        return MakeBox<double>(box, box.doubledata());
    case ns3opengym::FLOAT:
        return MakeBox<float>(box, box.floatdata());
    default:
        return nullptr;
    }
}

Ptr<OpenGymDataContainer>
ReadTuple(const google::protobuf::Any& data, int depth)
{
    ns3opengym::TupleDataContainer tuple;
    if (!data.UnpackTo(&tuple))
    {
        return nullptr;
    }
    auto container = CreateObject<OpenGymTupleContainer>();
    for (const auto& element : tuple.element())
    {
        auto value = Read(element, depth + 1);
        if (!value)
        {
            return nullptr;
        }
        container->Add(value);
    }
    return container;
}

Ptr<OpenGymDataContainer>
ReadDict(const google::protobuf::Any& data, int depth)
{
    ns3opengym::DictDataContainer dict;
    if (!data.UnpackTo(&dict))
    {
        return nullptr;
    }
    auto container = CreateObject<OpenGymDictContainer>();
    for (const auto& element : dict.element())
    {
        auto value = Read(element, depth + 1);
        if (!value)
        {
            return nullptr;
        }
        container->Add(element.name(), value);
    }
    return container;
}

Ptr<OpenGymDataContainer>
Read(const ns3opengym::DataContainer& message, int depth)
{
    if (depth > MAX_DEPTH)
    {
        return nullptr;
    }
    switch (message.type())
    {
    case ns3opengym::Discrete:
        return ReadDiscrete(message.data());
    case ns3opengym::Box:
        return ReadBox(message.data());
    case ns3opengym::Tuple:
        return ReadTuple(message.data(), depth);
    case ns3opengym::Dict:
        return ReadDict(message.data(), depth);
    default:
        return nullptr;
    }
}

} // namespace

OpenGymDataContainer::OpenGymDataContainer() = default;
OpenGymDataContainer::~OpenGymDataContainer() = default;

std::ostream&
OpenGymDataContainer::PrintTo(std::ostream& where, const OpenGymDataContainer* value)
{
    if (!value)
    {
        return where << "(null)";
    }
    value->Print(where);
    return where;
}

TypeId
OpenGymDataContainer::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::OpenGymDataContainer").SetParent<Object>().SetGroupName("OpenGym");
    return tid;
}

Ptr<OpenGymDataContainer>
OpenGymDataContainer::CreateFromDataContainerPbMsg(ns3opengym::DataContainer& message)
{
    return Read(message, 0);
}

OpenGymDiscreteContainer::OpenGymDiscreteContainer() = default;

OpenGymDiscreteContainer::OpenGymDiscreteContainer(uint32_t n)
    : m_n(n)
{
}

OpenGymDiscreteContainer::~OpenGymDiscreteContainer() = default;

TypeId
OpenGymDiscreteContainer::GetTypeId()
{
    static TypeId tid = TypeId("ns3::OpenGymDiscreteContainer")
                            .SetParent<OpenGymDataContainer>()
                            .SetGroupName("OpenGym")
                            .AddConstructor<OpenGymDiscreteContainer>();
    return tid;
}

ns3opengym::DataContainer
OpenGymDiscreteContainer::GetDataContainerPbMsg()
{
    ns3opengym::DiscreteDataContainer discrete;
    discrete.set_data(static_cast<int32_t>(m_value));
    ns3opengym::DataContainer message;
    message.set_type(ns3opengym::Discrete);
    OpenGymPack(*message.mutable_data(), discrete);
    return message;
}

void
OpenGymDiscreteContainer::Print(std::ostream& where) const
{
    where << m_value;
}

bool
OpenGymDiscreteContainer::SetValue(uint32_t value)
{
    m_value = value;
    return true;
}

uint32_t
OpenGymDiscreteContainer::GetValue()
{
    return m_value;
}

OpenGymTupleContainer::OpenGymTupleContainer() = default;
OpenGymTupleContainer::~OpenGymTupleContainer() = default;

TypeId
OpenGymTupleContainer::GetTypeId()
{
    static TypeId tid = TypeId("ns3::OpenGymTupleContainer")
                            .SetParent<OpenGymDataContainer>()
                            .SetGroupName("OpenGym")
                            .AddConstructor<OpenGymTupleContainer>();
    return tid;
}

ns3opengym::DataContainer
OpenGymTupleContainer::GetDataContainerPbMsg()
{
    ns3opengym::TupleDataContainer tuple;
    for (const auto& element : m_tuple)
    {
        *tuple.add_element() = element->GetDataContainerPbMsg();
    }
    ns3opengym::DataContainer message;
    message.set_type(ns3opengym::Tuple);
    OpenGymPack(*message.mutable_data(), tuple);
    return message;
}

void
OpenGymTupleContainer::Print(std::ostream& where) const
{
    where << "Tuple(";
    for (std::size_t i = 0; i < m_tuple.size(); i++)
    {
        where << (i ? ", " : "");
        m_tuple[i]->Print(where);
    }
    where << ")";
}

bool
OpenGymTupleContainer::Add(Ptr<OpenGymDataContainer> value)
{
    m_tuple.push_back(value);
    return true;
}

Ptr<OpenGymDataContainer>
OpenGymTupleContainer::Get(uint32_t idx)
{
    return idx < m_tuple.size() ? m_tuple[idx] : nullptr;
}

std::size_t
OpenGymTupleContainer::GetSize() const
{
    return m_tuple.size();
}

OpenGymDictContainer::OpenGymDictContainer() = default;
OpenGymDictContainer::~OpenGymDictContainer() = default;

TypeId
OpenGymDictContainer::GetTypeId()
{
    static TypeId tid = TypeId("ns3::OpenGymDictContainer")
                            .SetParent<OpenGymDataContainer>()
                            .SetGroupName("OpenGym")
                            .AddConstructor<OpenGymDictContainer>();
    return tid;
}

ns3opengym::DataContainer
OpenGymDictContainer::GetDataContainerPbMsg()
{
    ns3opengym::DictDataContainer dict;
    for (const auto& [key, element] : m_dict)
    {
        auto& message = *dict.add_element();
        message = element->GetDataContainerPbMsg();
        message.set_name(key);
    }
    ns3opengym::DataContainer message;
    message.set_type(ns3opengym::Dict);
    OpenGymPack(*message.mutable_data(), dict);
    return message;
}

void
OpenGymDictContainer::Print(std::ostream& where) const
{
    where << "Dict(";
    for (std::size_t i = 0; i < m_dict.size(); i++)
    {
        where << (i ? ", " : "") << m_dict[i].first << "=";
        m_dict[i].second->Print(where);
    }
    where << ")";
}

bool
OpenGymDictContainer::Add(std::string key, Ptr<OpenGymDataContainer> value)
{
    for (auto& [name, element] : m_dict)
    {
        if (name == key)
        {
            element = value;
            return true;
        }
    }
    m_dict.emplace_back(key, value);
    return true;
}

Ptr<OpenGymDataContainer>
OpenGymDictContainer::Get(std::string key)
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
OpenGymDictContainer::GetSize() const
{
    return m_dict.size();
}

} // namespace ns3
