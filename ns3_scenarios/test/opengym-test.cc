/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "container.h"
#include "opengym_interface.h"
#include "spaces.h"

#include "ns3/test.h"

#include <iomanip>
#include <sstream>
#include <string>
#include <vector>

using namespace ns3;
using Message = ns3opengym::DataContainer;

namespace
{

std::string
Hex(const google::protobuf::Message& message)
{
    std::ostringstream text;
    for (unsigned char byte : message.SerializeAsString())
    {
        text << std::hex << std::setw(2) << std::setfill('0') << +byte;
    }
    return text.str();
}

/** The value after a trip over the wire; null when it wasn't understood. */
Ptr<OpenGymDataContainer>
Travel(Ptr<OpenGymDataContainer> value)
{
    Message message;
    if (!message.ParseFromString(value->GetDataContainerPbMsg().SerializeAsString()))
    {
        return nullptr;
    }
    return OpenGymDataContainer::CreateFromDataContainerPbMsg(message);
}

template <typename T>
Ptr<OpenGymBoxContainer<T>>
Box(std::vector<uint32_t> shape, std::vector<T> data)
{
    auto box = CreateObject<OpenGymBoxContainer<T>>(shape);
    box->SetData(data);
    return box;
}

Ptr<OpenGymDiscreteContainer>
Discrete(uint32_t value)
{
    auto discrete = CreateObject<OpenGymDiscreteContainer>(10);
    discrete->SetValue(value);
    return discrete;
}

} // namespace

/** Bytes that ns3-gym's own Python agent and ns-3 module exchange. */
class GoldenBytesTestCase : public TestCase
{
  public:
    GoldenBytesTestCase()
        : TestCase("the bytes of ns3-gym's protocol")
    {
    }

  private:
    void DoRun() override
    {
        ns3opengym::EnvActMsg action;
        *action.mutable_actdata() = Discrete(3)->GetDataContainerPbMsg();
        NS_TEST_EXPECT_MSG_EQ(
            Hex(action),
            "0a3e0801123a0a34747970652e676f6f676c65617069732e636f6d2f6e73336f70656e67796d2e446973"
            "6372657465446174614"
            "36f6e7461696e657212020803",
            "Discrete action 3");
        ns3opengym::EnvActMsg stop;
        stop.set_stopsimreq(true);
        NS_TEST_EXPECT_MSG_EQ(Hex(stop), "1001", "stop");
        ns3opengym::SimInitAck ack;
        ack.set_done(true);
        NS_TEST_EXPECT_MSG_EQ(Hex(ack), "0801", "acknowledgement");
    }
};

/** Boxes of each element type keep shape and values. */
class BoxTestCase : public TestCase
{
  public:
    BoxTestCase()
        : TestCase("boxes over the wire")
    {
    }

  private:
    template <typename T>
    void Check(std::vector<uint32_t> shape, std::vector<T> data, const std::string& type)
    {
        auto back = DynamicCast<OpenGymBoxContainer<T>>(Travel(Box<T>(shape, data)));
        NS_TEST_ASSERT_MSG_NE(back, nullptr, type << " is understood");
        NS_TEST_EXPECT_MSG_EQ((back->GetShape() == shape), true, type << " shape");
        NS_TEST_EXPECT_MSG_EQ((back->GetData() == data), true, type << " values");
        NS_TEST_EXPECT_MSG_EQ(back->GetValue(data.size()), T{}, type << " beyond the end");
    }

    void DoRun() override
    {
        Check<int32_t>({3}, {-5, 0, INT32_MAX}, "int32");
        Check<uint32_t>({2}, {0, UINT32_MAX}, "uint32");
        Check<float>({2, 2}, {1.5F, -2.25F, 0, 3e38F}, "float");
        Check<double>({1}, {0.1}, "double");
        Check<double>({0}, {}, "empty");
    }
};

/** Tuples in dicts in tuples: order and names stay. */
class NestedTestCase : public TestCase
{
  public:
    NestedTestCase()
        : TestCase("nested containers over the wire")
    {
    }

  private:
    void DoRun() override
    {
        auto inner = CreateObject<OpenGymTupleContainer>();
        inner->Add(Discrete(7));
        inner->Add(Box<float>({2}, {1, 2}));
        auto dict = CreateObject<OpenGymDictContainer>();
        dict->Add("pair", inner);
        dict->Add("one", Discrete(0));
        dict->Add("one", Discrete(1)); // a second value of a name replaces the first
        auto outer = CreateObject<OpenGymTupleContainer>();
        outer->Add(dict);

        auto back = DynamicCast<OpenGymTupleContainer>(Travel(outer));
        NS_TEST_ASSERT_MSG_NE(back, nullptr, "a tuple");
        NS_TEST_EXPECT_MSG_EQ(back->Get(1), nullptr, "of one element");
        auto backDict = DynamicCast<OpenGymDictContainer>(back->Get(0));
        NS_TEST_ASSERT_MSG_NE(backDict, nullptr, "a dict");
        NS_TEST_EXPECT_MSG_EQ(backDict->Get("none"), nullptr, "an unknown name");
        auto one = DynamicCast<OpenGymDiscreteContainer>(backDict->Get("one"));
        NS_TEST_ASSERT_MSG_NE(one, nullptr, "a number");
        NS_TEST_EXPECT_MSG_EQ(one->GetValue(), 1, "its value");
        auto pair = DynamicCast<OpenGymTupleContainer>(backDict->Get("pair"));
        NS_TEST_ASSERT_MSG_NE(pair, nullptr, "a tuple");
        auto first = DynamicCast<OpenGymDiscreteContainer>(pair->Get(0));
        auto second = DynamicCast<OpenGymBoxContainer<float>>(pair->Get(1));
        NS_TEST_ASSERT_MSG_EQ((first && second), true, "a number and a box");
        NS_TEST_EXPECT_MSG_EQ(first->GetValue(), 7, "its value");
        NS_TEST_EXPECT_MSG_EQ(second->GetValue(1), 2, "its value");
        NS_TEST_EXPECT_MSG_EQ(Hex(back->GetDataContainerPbMsg()),
                              Hex(outer->GetDataContainerPbMsg()),
                              "the same bytes again");
    }
};

/** What can't be a value gives null and never a half-read one. */
class MalformedTestCase : public TestCase
{
  public:
    MalformedTestCase()
        : TestCase("malformed values")
    {
    }

  private:
    void ExpectNull(Message message, const std::string& what)
    {
        NS_TEST_EXPECT_MSG_EQ(OpenGymDataContainer::CreateFromDataContainerPbMsg(message),
                              nullptr,
                              what);
    }

    void DoRun() override
    {
        const auto good = Discrete(3)->GetDataContainerPbMsg();
        ExpectNull(Message(), "empty");
        auto message = good;
        message.clear_data();
        ExpectNull(message, "no data");
        message = good;
        message.set_type(ns3opengym::Box);
        ExpectNull(message, "type and data disagree");
        message = good;
        message.set_type(static_cast<ns3opengym::SpaceType>(99));
        ExpectNull(message, "unknown type");
        message = good;
        message.mutable_data()->set_value("\xff\xff\xff");
        ExpectNull(message, "garbage");

        message = Box<float>({1}, {1})->GetDataContainerPbMsg();
        ns3opengym::BoxDataContainer box;
        message.data().UnpackTo(&box);
        box.set_dtype(ns3opengym::NoDType);
        message.mutable_data()->PackFrom(box);
        ExpectNull(message, "a box without a type");

        ns3opengym::TupleDataContainer tuple;
        *tuple.add_element() = good;
        tuple.add_element();
        message.set_type(ns3opengym::Tuple);
        message.mutable_data()->PackFrom(tuple);
        ExpectNull(message, "one bad element of two");

        message = good;
        for (int depth = 0; depth < 100; depth++)
        {
            ns3opengym::TupleDataContainer deeper;
            *deeper.add_element() = message;
            message.set_type(ns3opengym::Tuple);
            message.mutable_data()->PackFrom(deeper);
        }
        ExpectNull(message, "nested without end");
    }
};

/** The descriptions that go to the agent. */
class SpacesTestCase : public TestCase
{
  public:
    SpacesTestCase()
        : TestCase("descriptions of spaces")
    {
    }

  private:
    void DoRun() override
    {
        auto dict = CreateObject<OpenGymDictSpace>();
        dict->Add("choice", CreateObject<OpenGymDiscreteSpace>(5));
        const std::vector<uint32_t> shape{2, 3};
        dict->Add("field",
                  CreateObject<OpenGymBoxSpace>(-1.0F, 2.0F, shape, TypeNameGet<double>()));
        const auto description = dict->GetSpaceDescription();
        NS_TEST_EXPECT_MSG_EQ(description.type(), ns3opengym::Dict, "type");
        ns3opengym::DictSpace elements;
        NS_TEST_ASSERT_MSG_EQ(description.space().UnpackTo(&elements), true, "a DictSpace");
        NS_TEST_ASSERT_MSG_EQ(elements.element_size(), 2, "two spaces");

        NS_TEST_EXPECT_MSG_EQ(elements.element(0).name(), "choice", "name");
        ns3opengym::DiscreteSpace discrete;
        NS_TEST_ASSERT_MSG_EQ(elements.element(0).space().UnpackTo(&discrete), true, "Discrete");
        NS_TEST_EXPECT_MSG_EQ(discrete.n(), 5, "size");

        NS_TEST_EXPECT_MSG_EQ(elements.element(1).name(), "field", "name");
        ns3opengym::BoxSpace box;
        NS_TEST_ASSERT_MSG_EQ(elements.element(1).space().UnpackTo(&box), true, "Box");
        NS_TEST_EXPECT_MSG_EQ(box.low(), -1, "low");
        NS_TEST_EXPECT_MSG_EQ(box.high(), 2, "high");
        NS_TEST_EXPECT_MSG_EQ(box.dtype(), ns3opengym::DOUBLE, "element type");
        NS_TEST_ASSERT_MSG_EQ(box.shape_size(), 2, "dimensions");
        NS_TEST_EXPECT_MSG_EQ(box.shape(1), 3, "length of the second");
    }
};

/** Get() is how the parts of a scenario that don't know the port find the interface; as in ns3-gym. */
class FirstInterfaceTestCase : public TestCase
{
  public:
    FirstInterfaceTestCase()
        : TestCase("OpenGymInterface::Get")
    {
    }

  private:
    void DoRun() override
    {
        auto first = OpenGymInterface::Get(6001);
        auto second = OpenGymInterface::Get(6002);
        NS_TEST_EXPECT_MSG_NE(first, second, "one for each port");
        NS_TEST_EXPECT_MSG_EQ(OpenGymInterface::Get(6001), first, "the same again");
        NS_TEST_EXPECT_MSG_EQ(OpenGymInterface::Get(), first, "the first without a port");
        first->Dispose();
        NS_TEST_EXPECT_MSG_NE(OpenGymInterface::Get(6001), first, "a new one after its end");
        NS_TEST_EXPECT_MSG_EQ(OpenGymInterface::Get(), OpenGymInterface::Get(6001), "the new one");
    }
};

class OpenGymTestSuite : public TestSuite
{
  public:
    OpenGymTestSuite()
        : TestSuite("splitsim-opengym")
    {
        AddTestCase(new GoldenBytesTestCase);
        AddTestCase(new BoxTestCase);
        AddTestCase(new NestedTestCase);
        AddTestCase(new MalformedTestCase);
        AddTestCase(new SpacesTestCase);
        AddTestCase(new FirstInterfaceTestCase);
    }
};

static OpenGymTestSuite g_openGymTestSuite;
