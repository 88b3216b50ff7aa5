/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef OPENGYM_SPACES_H
#define OPENGYM_SPACES_H

#include "messages.pb.h"

#include "ns3/object.h"

#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{

/**
 * What an observation or an action looks like; the description of it goes to the agent once, when
 * the simulation starts.
 */
class OpenGymSpace : public Object
{
  public:
    static TypeId GetTypeId();
    OpenGymSpace();
    ~OpenGymSpace() override;

    /** @return the space as the wire describes it */
    virtual ns3opengym::SpaceDescription GetSpaceDescription() = 0;

    /** Write the space for a person. @param where the stream */
    virtual void Print(std::ostream& where) const = 0;

    friend std::ostream& operator<<(std::ostream& where, const Ptr<OpenGymSpace> space)
    {
        return PrintTo(where, PeekPointer(space));
    }

  protected:
    /** `<<` of a pointer shows the space and not its address. */
    static std::ostream& PrintTo(std::ostream& where, const OpenGymSpace* space);
};

/** The integers 0 .. n-1. */
class OpenGymDiscreteSpace : public OpenGymSpace
{
  public:
    static TypeId GetTypeId();
    OpenGymDiscreteSpace();
    /** @param n the number of values */
    OpenGymDiscreteSpace(int n);
    ~OpenGymDiscreteSpace() override;

    ns3opengym::SpaceDescription GetSpaceDescription() override;
    void Print(std::ostream& where) const override;

    friend std::ostream& operator<<(std::ostream& where, const Ptr<OpenGymDiscreteSpace> space)
    {
        return PrintTo(where, PeekPointer(space));
    }

    /** @return the number of values */
    int GetN();

  private:
    int m_n{0};
};

/** An n-dimensional array with bounds. */
class OpenGymBoxSpace : public OpenGymSpace
{
  public:
    static TypeId GetTypeId();
    OpenGymBoxSpace();
    /**
     * @param low the lower bound of every element
     * @param high the upper bound of every element
     * @param shape the length of each dimension
     * @param dtype the name of a C++ number type, as TypeNameGet<T>() gives it
     */
    OpenGymBoxSpace(float low, float high, std::vector<uint32_t> shape, std::string dtype);
    /**
     * Bounds of each element. The wire carries one pair only, so they stay on this side.
     *
     * @param low lower bounds
     * @param high upper bounds
     * @param shape the length of each dimension
     * @param dtype the name of a C++ number type
     */
    OpenGymBoxSpace(std::vector<float> low,
                    std::vector<float> high,
                    std::vector<uint32_t> shape,
                    std::string dtype);
    ~OpenGymBoxSpace() override;

    ns3opengym::SpaceDescription GetSpaceDescription() override;
    void Print(std::ostream& where) const override;

    friend std::ostream& operator<<(std::ostream& where, const Ptr<OpenGymBoxSpace> space)
    {
        return PrintTo(where, PeekPointer(space));
    }

    float GetLow();
    float GetHigh();
    std::vector<uint32_t> GetShape();
    /** @return the type of an element on the wire */
    ns3opengym::Dtype GetWireType() const;

  private:
    float m_low{0};
    float m_high{0};
    std::vector<uint32_t> m_shape;
    std::string m_dtypeName;
    ns3opengym::Dtype m_dtype{ns3opengym::FLOAT};
    std::vector<float> m_lowVec;
    std::vector<float> m_highVec;
};

/** Several spaces in an order. */
class OpenGymTupleSpace : public OpenGymSpace
{
  public:
    static TypeId GetTypeId();
    OpenGymTupleSpace();
    ~OpenGymTupleSpace() override;

    ns3opengym::SpaceDescription GetSpaceDescription() override;
    void Print(std::ostream& where) const override;

    friend std::ostream& operator<<(std::ostream& where, const Ptr<OpenGymTupleSpace> space)
    {
        return PrintTo(where, PeekPointer(space));
    }

    /** @param space appended. @return true */
    bool Add(Ptr<OpenGymSpace> space);
    /** @param idx position. @return that space, null when there is none */
    Ptr<OpenGymSpace> Get(uint32_t idx);
    /** @return the number of spaces */
    std::size_t GetSize() const;

  private:
    std::vector<Ptr<OpenGymSpace>> m_tuple;
};

/** Several spaces by name. */
class OpenGymDictSpace : public OpenGymSpace
{
  public:
    static TypeId GetTypeId();
    OpenGymDictSpace();
    ~OpenGymDictSpace() override;

    ns3opengym::SpaceDescription GetSpaceDescription() override;
    void Print(std::ostream& where) const override;

    friend std::ostream& operator<<(std::ostream& where, const Ptr<OpenGymDictSpace> space)
    {
        return PrintTo(where, PeekPointer(space));
    }

    /** @param key the name @param space the space; a second one of a name replaces. @return true */
    bool Add(std::string key, Ptr<OpenGymSpace> space);
    /** @param key the name. @return that space, null when there is none */
    Ptr<OpenGymSpace> Get(std::string key);
    /** @return the number of spaces */
    std::size_t GetSize() const;
    /** @param idx position, below GetSize(). @return the name there */
    const std::string& GetKey(std::size_t idx) const;

  private:
    std::vector<std::pair<std::string, Ptr<OpenGymSpace>>> m_dict;
};

/**
 * @param name a C++ number type as TypeNameGet<T>() spells it, or a common alias
 * @return the wire's type for it; FLOAT where the name is none of them
 */
ns3opengym::Dtype OpenGymDtypeFromName(const std::string& name);

} // namespace ns3

#endif // OPENGYM_SPACES_H
