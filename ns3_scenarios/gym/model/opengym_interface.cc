/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "opengym_interface.h"

#include "action-check.h"
#include "messages.pb.h"
#include "opengym_env.h"
#include "parent-watch.h"
#include "uncaught-error.h"
#include "zmtp-request.h"

#include "ns3/log.h"
#include "ns3/simulator.h"

#include <limits>
#include <map>
#include <string_view>
#include <unistd.h>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("OpenGymInterface");
NS_OBJECT_ENSURE_REGISTERED(OpenGymInterface);

namespace
{

/// Where an agent listens when nobody says otherwise.
constexpr uint32_t DEFAULT_PORT = 5555;

/** @return what Get() gives to scenarios that named a port elsewhere; may be null */
Ptr<OpenGymInterface>&
FirstInterface()
{
    static Ptr<OpenGymInterface> first;
    return first;
}

} // namespace

TypeId
OpenGymInterface::GetTypeId()
{
    static TypeId tid = TypeId("ns3::OpenGymInterface")
                            .SetParent<Object>()
                            .SetGroupName("OpenGym")
                            .AddConstructor<OpenGymInterface>();
    return tid;
}

Ptr<OpenGymInterface>
OpenGymInterface::Get()
{
    const auto& interface = FirstInterface();
    return interface && !interface->m_disposed ? interface : Get(DEFAULT_PORT);
}

Ptr<OpenGymInterface>
OpenGymInterface::Get(uint32_t port)
{
    static std::map<uint32_t, Ptr<OpenGymInterface>> interfaces;
    auto& entry = interfaces[port];
    if (!entry || entry->m_disposed)
    {
        entry = CreateObject<OpenGymInterface>(port);
    }
    auto& first = FirstInterface();
    if (!first || first->m_disposed)
    {
        first = entry;
    }
    return entry;
}

// By number: a container without /etc/hosts can't resolve "localhost".
OpenGymInterface::OpenGymInterface(uint32_t port)
    : OpenGymInterface("tcp://127.0.0.1:" + std::to_string(port))
{
}

OpenGymInterface::OpenGymInterface(const std::string& endpoint)
    : m_endpoint(endpoint)
{
    WatchParent();
    SpeakUpWhenUncaught();
}

OpenGymInterface::~OpenGymInterface()
{
    Disconnect();
}

void
OpenGymInterface::DoInitialize()
{
    Object::DoInitialize();
}

void
OpenGymInterface::DoDispose()
{
    Disconnect();
    m_disposed = true;
    m_entity = nullptr;
    m_actionSpace = nullptr;
    m_actionSpaceCb = MakeNullCallback<Ptr<OpenGymSpace>>();
    m_observationSpaceCb = MakeNullCallback<Ptr<OpenGymSpace>>();
    m_gameOverCb = MakeNullCallback<bool>();
    m_obsCb = MakeNullCallback<Ptr<OpenGymDataContainer>>();
    m_rewardCb = MakeNullCallback<float>();
    m_extraInfoCb = MakeNullCallback<std::string>();
    m_actionCb = MakeNullCallback<bool, Ptr<OpenGymDataContainer>>();
    Object::DoDispose();
}

void
OpenGymInterface::Connect()
{
    m_wire = ZmtpRequester::Connect(m_endpoint);
}

void
OpenGymInterface::Disconnect()
{
    m_wire.reset();
}

void
OpenGymInterface::Send(const google::protobuf::MessageLite& message)
{
    const auto bytes = message.ByteSizeLong();
    if (bytes > std::numeric_limits<int>::max())
    {
        throw OpenGymError("ns3-gym bridge: a message of " + std::to_string(bytes) +
                           " bytes; protobuf's limit is 2 GiB");
    }
    message.SerializeWithCachedSizesToArray(m_wire->Prepare(bytes));
    m_wire->Send();
}

void
OpenGymInterface::Receive(google::protobuf::MessageLite& message)
{
    const std::string_view answer = m_wire->Receive();
    if (!message.ParseFromArray(answer.data(), static_cast<int>(answer.size())))
    {
        const auto type = message.GetTypeName();
        throw OpenGymError("ns3-gym bridge: the agent's answer is no valid " +
                           type.substr(type.rfind('.') + 1) + " (" + std::to_string(answer.size()) +
                           " bytes)");
    }
}

void
OpenGymInterface::Init()
{
    if (m_initSimMsgSent)
    {
        return;
    }
    Connect();
    ns3opengym::SimInitMsg message;
    message.set_simprocessid(static_cast<uint64_t>(getpid()));
    message.set_wafshellprocessid(static_cast<uint64_t>(getppid()));
    if (auto space = GetObservationSpace())
    {
        *message.mutable_obsspace() = space->GetSpaceDescription();
    }
    m_actionSpace = GetActionSpace();
    if (m_actionSpace)
    {
        *message.mutable_actspace() = m_actionSpace->GetSpaceDescription();
    }
    Send(message);
    m_initSimMsgSent = true;
    ns3opengym::SimInitAck ack;
    Receive(ack);
    if (ack.stopsimreq())
    {
        RequestStop();
    }
    else if (!ack.done())
    {
        throw OpenGymError("ns3-gym bridge: the agent refused the spaces (SimInitAck.done=false)");
    }
}

void
OpenGymInterface::RequestStop()
{
    m_stopRequested = true;
    Simulator::Stop();
}

void
OpenGymInterface::NotifyCurrentState()
{
    if (!m_simEnd)
    {
        SendState();
    }
}

void
OpenGymInterface::SendState()
{
    Init();
    if (m_stopRequested)
    {
        return;
    }
    {
        ns3opengym::EnvStateMsg state;
        const auto observation = GetObservation();
        if (observation)
        {
            *state.mutable_obsdata() = observation->GetDataContainerPbMsg();
        }
        state.set_reward(GetReward());
        state.set_isgameover(m_simEnd || IsGameOver());
        state.set_reason(!m_simEnd && state.isgameover() ? ns3opengym::EnvStateMsg::GameOver
                                                         : ns3opengym::EnvStateMsg::SimulationEnd);
        state.set_info(GetExtraInfo());
        state.add_simtimes(Simulator::Now().GetSeconds());
        Send(state);
    } // all this is freed while the agent works
    Receive(m_reply);
    if (!m_simEnd) // by the protocol the answer to the last state means nothing
    {
        Execute();
    }
}

void
OpenGymInterface::Execute()
{
    if (m_reply.stopsimreq())
    {
        RequestStop();
        return;
    }
    auto& data = *m_reply.mutable_actdata();
    const auto action = OpenGymDataContainer::CreateFromDataContainerPbMsg(data);
    if (!action)
    {
        throw OpenGymError("ns3-gym bridge: the action has no readable value (space type " +
                           std::to_string(static_cast<int>(data.type())) + ")");
    }
    if (m_actionSpace)
    {
        const auto mismatch = OpenGymMismatch(m_actionSpace, action);
        if (!mismatch.empty())
        {
            throw OpenGymError("ns3-gym bridge: " + mismatch);
        }
    }
    if (!ExecuteActions(action))
    {
        throw OpenGymError("ns3-gym bridge: the scenario refused the action");
    }
}

void
OpenGymInterface::WaitForStop()
{
    SendState();
}

void
OpenGymInterface::NotifySimulationEnd()
{
    if (m_simEnd)
    {
        return; // the agent has heard it, and would not answer again
    }
    m_simEnd = true;
    if (!m_initSimMsgSent || m_stopRequested)
    {
        return;
    }
    try
    {
        WaitForStop();
    }
    catch (const ZmtpClosed&)
    {
        // An agent that counts the steps itself may be gone; nobody waits for this state then.
    }
}

bool
OpenGymInterface::IsStopRequested() const
{
    return m_stopRequested;
}

Ptr<OpenGymSpace>
OpenGymInterface::GetActionSpace()
{
    return m_actionSpaceCb.IsNull() ? nullptr : m_actionSpaceCb();
}

Ptr<OpenGymSpace>
OpenGymInterface::GetObservationSpace()
{
    return m_observationSpaceCb.IsNull() ? nullptr : m_observationSpaceCb();
}

Ptr<OpenGymDataContainer>
OpenGymInterface::GetObservation()
{
    return m_obsCb.IsNull() ? nullptr : m_obsCb();
}

float
OpenGymInterface::GetReward()
{
    return m_rewardCb.IsNull() ? 0.0F : m_rewardCb();
}

bool
OpenGymInterface::IsGameOver()
{
    return !m_gameOverCb.IsNull() && m_gameOverCb();
}

std::string
OpenGymInterface::GetExtraInfo()
{
    return m_extraInfoCb.IsNull() ? std::string() : m_extraInfoCb();
}

bool
OpenGymInterface::ExecuteActions(Ptr<OpenGymDataContainer> action)
{
    return m_actionCb.IsNull() || m_actionCb(action);
}

void
OpenGymInterface::SetGetActionSpaceCb(Callback<Ptr<OpenGymSpace>> cb)
{
    m_actionSpaceCb = cb;
    m_entity = nullptr;
}

void
OpenGymInterface::SetGetObservationSpaceCb(Callback<Ptr<OpenGymSpace>> cb)
{
    m_observationSpaceCb = cb;
    m_entity = nullptr;
}

void
OpenGymInterface::SetGetObservationCb(Callback<Ptr<OpenGymDataContainer>> cb)
{
    m_obsCb = cb;
    m_entity = nullptr;
}

void
OpenGymInterface::SetGetRewardCb(Callback<float> cb)
{
    m_rewardCb = cb;
    m_entity = nullptr;
}

void
OpenGymInterface::SetGetGameOverCb(Callback<bool> cb)
{
    m_gameOverCb = cb;
    m_entity = nullptr;
}

void
OpenGymInterface::SetGetExtraInfoCb(Callback<std::string> cb)
{
    m_extraInfoCb = cb;
    m_entity = nullptr;
}

void
OpenGymInterface::SetExecuteActionsCb(Callback<bool, Ptr<OpenGymDataContainer>> cb)
{
    m_actionCb = cb;
    m_entity = nullptr;
}

void
OpenGymInterface::Notify(Ptr<OpenGymEnv> entity)
{
    // Several environments may share this interface; mostly it is the same one again.
    if (m_entity != PeekPointer(entity))
    {
        SetCallbacks(entity);
    }
    NotifyCurrentState();
}

void
OpenGymInterface::SetCallbacks(Ptr<OpenGymEnv> entity)
{
    // A raw pointer in the callbacks: a counted one would keep the pair alive in a circle.
    auto env = PeekPointer(entity);
    SetGetActionSpaceCb(MakeCallback(&OpenGymEnv::GetActionSpace, env));
    SetGetObservationSpaceCb(MakeCallback(&OpenGymEnv::GetObservationSpace, env));
    SetGetGameOverCb(MakeCallback(&OpenGymEnv::GetGameOver, env));
    SetGetObservationCb(MakeCallback(&OpenGymEnv::GetObservation, env));
    SetGetRewardCb(MakeCallback(&OpenGymEnv::GetReward, env));
    SetGetExtraInfoCb(MakeCallback(&OpenGymEnv::GetExtraInfo, env));
    SetExecuteActionsCb(MakeCallback(&OpenGymEnv::ExecuteActions, env));
    m_entity = env;
}

} // namespace ns3
