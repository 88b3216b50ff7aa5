/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef OPENGYM_CONTAINER_H
#define OPENGYM_CONTAINER_H

#include "any-pack.h"
#include "messages.pb.h"
#include "spaces.h"

#include "ns3/object.h"
#include "ns3/type-name.h"

#include <ostream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace ns3
{

/** One observation or action: a value of an OpenGymSpace. */
class OpenGymDataContainer : public Object
{
  public:
    static TypeId GetTypeId();
    OpenGymDataContainer();
    ~OpenGymDataContainer() override;

    /** @return the value as it travels */
    virtual ns3opengym::DataContainer GetDataContainerPbMsg() = 0;

    /**
     * Read a value from the wire.
     *
     * @param message the message as received
     * @return the value; null when the message is malformed or its type is unknown
     */
    static Ptr<OpenGymDataContainer> CreateFromDataContainerPbMsg(
        ns3opengym::DataContainer& message);

    /** Write the value for a person. @param where the stream */
    virtual void Print(std::ostream& where) const = 0;

    friend std::ostream& operator<<(std::ostream& where, const Ptr<OpenGymDataContainer> value)
    {
        return PrintTo(where, PeekPointer(value));
    }

  protected:
    /** `<<` of a pointer shows the value and not its address. */
    static std::ostream& PrintTo(std::ostream& where, const OpenGymDataContainer* value);
};

/** A value of an OpenGymDiscreteSpace. */
class OpenGymDiscreteContainer : public OpenGymDataContainer
{
  public:
    static TypeId GetTypeId();
    OpenGymDiscreteContainer();
    /** @param n the size of the space this is a value of */
    OpenGymDiscreteContainer(uint32_t n);
    ~OpenGymDiscreteContainer() override;

    ns3opengym::DataContainer GetDataContainerPbMsg() override;
    void Print(std::ostream& where) const override;

    friend std::ostream& operator<<(std::ostream& where, const Ptr<OpenGymDiscreteContainer> value)
    {
        return OpenGymDataContainer::PrintTo(where, PeekPointer(value));
    }

    /** @param value the value. @return true */
    bool SetValue(uint32_t value);
    uint32_t GetValue();

  private:
    uint32_t m_n{0};
    uint32_t m_value{0};
};

/**
 * A value of an OpenGymBoxSpace.
 *
 * @tparam T the C++ type of an element; the wire holds 32-bit integers, floats and doubles
 */
template <typename T = float>
class OpenGymBoxContainer : public OpenGymDataContainer
{
  public:
    static TypeId GetTypeId();
    OpenGymBoxContainer();
    /** @param shape the length of each dimension */
    OpenGymBoxContainer(std::vector<uint32_t> shape);
    ~OpenGymBoxContainer() override;

    ns3opengym::DataContainer GetDataContainerPbMsg() override;
    void Print(std::ostream& where) const override;

    friend std::ostream& operator<<(std::ostream& where, const Ptr<OpenGymBoxContainer<T>> value)
    {
        return OpenGymDataContainer::PrintTo(where, PeekPointer(value));
    }

    /** @param value appended. @return true */
    bool AddValue(T value);
    /** @param idx position. @return the element, 0 when there is none */
    T GetValue(uint32_t idx);
    /** @param data all elements. @return true */
    bool SetData(std::vector<T> data);
    std::vector<T> GetData();
    std::vector<uint32_t> GetShape();
    /** @return the number of elements */
    std::size_t GetSize() const;

  private:
    static ns3opengym::Dtype WireType();

    std::vector<uint32_t> m_shape;
    std::vector<T> m_data;
};

/** A value of an OpenGymTupleSpace. */
class OpenGymTupleContainer : public OpenGymDataContainer
{
  public:
    static TypeId GetTypeId();
    OpenGymTupleContainer();
    ~OpenGymTupleContainer() override;

    ns3opengym::DataContainer GetDataContainerPbMsg() override;
    void Print(std::ostream& where) const override;

    friend std::ostream& operator<<(std::ostream& where, const Ptr<OpenGymTupleContainer> value)
    {
        return OpenGymDataContainer::PrintTo(where, PeekPointer(value));
    }

    bool Add(Ptr<OpenGymDataContainer> space);
    /** @param idx position. @return that element, null when there is none */
    Ptr<OpenGymDataContainer> Get(uint32_t idx);
    /** @return the number of elements */
    std::size_t GetSize() const;

  private:
    std::vector<Ptr<OpenGymDataContainer>> m_tuple;
};

/** A value of an OpenGymDictSpace. */
class OpenGymDictContainer : public OpenGymDataContainer
{
  public:
    static TypeId GetTypeId();
    OpenGymDictContainer();
    ~OpenGymDictContainer() override;

    ns3opengym::DataContainer GetDataContainerPbMsg() override;
    void Print(std::ostream& where) const override;

    friend std::ostream& operator<<(std::ostream& where, const Ptr<OpenGymDictContainer> value)
    {
        return OpenGymDataContainer::PrintTo(where, PeekPointer(value));
    }

    bool Add(std::string key, Ptr<OpenGymDataContainer> value);
    /** @param key the name. @return that element, null when there is none */
    Ptr<OpenGymDataContainer> Get(std::string key);
    /** @return the number of elements */
    std::size_t GetSize() const;

  private:
    std::vector<std::pair<std::string, Ptr<OpenGymDataContainer>>> m_dict;
};

// Implementation of the template -------------------------------------------------------------

template <typename T>
TypeId
OpenGymBoxContainer<T>::GetTypeId()
{
    static TypeId tid = TypeId("ns3::OpenGymBoxContainer<" + std::string(TypeNameGet<T>()) + ">")
                            .SetParent<OpenGymDataContainer>()
                            .SetGroupName("OpenGym")
                            .template AddConstructor<OpenGymBoxContainer<T>>();
    return tid;
}

template <typename T>
OpenGymBoxContainer<T>::OpenGymBoxContainer() = default;

template <typename T>
OpenGymBoxContainer<T>::OpenGymBoxContainer(std::vector<uint32_t> shape)
    : m_shape(shape)
{
}

template <typename T>
OpenGymBoxContainer<T>::~OpenGymBoxContainer() = default;

template <typename T>
ns3opengym::Dtype
OpenGymBoxContainer<T>::WireType()
{
    static_assert(std::is_arithmetic_v<T>, "a Box holds numbers");
    if constexpr (std::is_same_v<T, double>)
    {
        return ns3opengym::DOUBLE;
    }
    else if constexpr (std::is_floating_point_v<T>)
    {
        return ns3opengym::FLOAT;
    }
    else
    {
        return std::is_signed_v<T> ? ns3opengym::INT : ns3opengym::UINT;
    }
}

template <typename T>
ns3opengym::DataContainer
OpenGymBoxContainer<T>::GetDataContainerPbMsg()
{
    ns3opengym::BoxDataContainer box;
    box.set_dtype(WireType());
    box.mutable_shape()->Add(m_shape.begin(), m_shape.end());
    if constexpr (std::is_same_v<T, double>)
    {
        box.mutable_doubledata()->Add(m_data.begin(), m_data.end());
    }
    else if constexpr (std::is_floating_point_v<T>)
    {
        box.mutable_floatdata()->Add(m_data.begin(), m_data.end());
    }
    else if constexpr (std::is_signed_v<T>)
    {
        box.mutable_intdata()->Add(m_data.begin(), m_data.end());
    }
    else
    {
        box.mutable_uintdata()->Add(m_data.begin(), m_data.end());
    }
    ns3opengym::DataContainer message;
    message.set_type(ns3opengym::Box);
    OpenGymPack(*message.mutable_data(), box);
    return message;
}

template <typename T>
void
OpenGymBoxContainer<T>::Print(std::ostream& where) const
{
    where << "[";
    for (std::size_t i = 0; i < m_data.size(); i++)
    {
        where << (i ? ", " : "") << +m_data[i];
    }
    where << "]";
}

template <typename T>
bool
OpenGymBoxContainer<T>::AddValue(T value)
{
    m_data.push_back(value);
    return true;
}

template <typename T>
T
OpenGymBoxContainer<T>::GetValue(uint32_t idx)
{
    return idx < m_data.size() ? m_data[idx] : T{};
}

template <typename T>
bool
OpenGymBoxContainer<T>::SetData(std::vector<T> data)
{
    m_data = std::move(data);
    return true;
}

template <typename T>
std::vector<T>
OpenGymBoxContainer<T>::GetData()
{
    return m_data;
}

template <typename T>
std::vector<uint32_t>
OpenGymBoxContainer<T>::GetShape()
{
    return m_shape;
}

template <typename T>
std::size_t
OpenGymBoxContainer<T>::GetSize() const
{
    return m_data.size();
}

} // namespace ns3

#endif // OPENGYM_CONTAINER_H
