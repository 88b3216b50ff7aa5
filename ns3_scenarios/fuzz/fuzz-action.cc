/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * An answer of the agent: parsed, made a value, and compared with each of some spaces.
 */
#include "action-check.h"
#include "container.h"
#include "judge.h"
#include "messages.pb.h"
#include "spaces.h"

#include "ns3/type-name.h"

#include <sstream>
#include <vector>

namespace
{

using namespace ns3;

const std::vector<Ptr<OpenGymSpace>>&
Spaces()
{
    static const std::vector<Ptr<OpenGymSpace>> spaces = [] {
        const std::vector<uint32_t> shape{2, 3};
        auto discrete = CreateObject<OpenGymDiscreteSpace>(5);
        auto floats = CreateObject<OpenGymBoxSpace>(0, 1, shape, TypeNameGet<float>());
        auto doubles = CreateObject<OpenGymBoxSpace>(-1, 1, shape, TypeNameGet<double>());
        auto integers = CreateObject<OpenGymBoxSpace>(-5, 5, shape, TypeNameGet<int32_t>());
        auto counts = CreateObject<OpenGymBoxSpace>(0, 5, shape, TypeNameGet<uint32_t>());
        auto tuple = CreateObject<OpenGymTupleSpace>();
        tuple->Add(discrete);
        tuple->Add(floats);
        auto dict = CreateObject<OpenGymDictSpace>();
        dict->Add("a", discrete);
        dict->Add("b", tuple);
        return std::vector<Ptr<OpenGymSpace>>{discrete,
                                              floats,
                                              doubles,
                                              integers,
                                              counts,
                                              tuple,
                                              dict};
    }();
    return spaces;
}

} // namespace

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    ns3opengym::SimInitAck acknowledgement;
    acknowledgement.ParseFromArray(data, static_cast<int>(size));
    ns3opengym::EnvActMsg message;
    if (!message.ParseFromArray(data, static_cast<int>(size)))
    {
        return 0;
    }
    const auto action =
        OpenGymDataContainer::CreateFromDataContainerPbMsg(*message.mutable_actdata());
    if (!action)
    {
        return 0;
    }
    for (const auto& space : Spaces())
    {
        const auto mismatch = OpenGymMismatch(space, action);
        if (!mismatch.empty())
        {
            splitsim::JudgeRefusal(mismatch);
        }
    }
    std::ostringstream shown;
    shown << action;
    action->GetDataContainerPbMsg();
    return 0;
}
