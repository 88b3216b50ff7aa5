/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef OPENGYM_INTERFACE_H
#define OPENGYM_INTERFACE_H

#include "container.h"
#include "spaces.h"

#include "ns3/callback.h"
#include "ns3/object.h"

#include <cstdint>
#include <stdexcept>
#include <string>

namespace ns3
{

class OpenGymEnv;

/**
 * What the agent sent can't be understood, or the wire broke.
 *
 * A scenario may catch it. One that doesn't, as scenarios written for ns3-gym, ends with this
 * error's text as one line on stderr and status 2, where C++ would abort.
 */
class OpenGymError : public std::runtime_error
{
  public:
    using std::runtime_error::runtime_error;
};

/**
 * The simulator's end of the ns3-gym protocol: a ZeroMQ REQ socket that sends states and waits for
 * actions. The simulation stands still while the agent thinks.
 *
 * A wait ends when the agent answers, or when the process that started us is gone: an agent that
 * hands down a pipe by the environment variable PYAGENT_PARENT_FD is watched through it.
 */
class OpenGymInterface : public Object
{
  public:
    static TypeId GetTypeId();

    /** @return the interface that Get(port) made first and that is still in use; else Get(5555) */
    static Ptr<OpenGymInterface> Get();
    /** @param port the agent's TCP port on this machine. @return the one interface of this port,
     * until it is disposed of */
    static Ptr<OpenGymInterface> Get(uint32_t port);

    /** @param port the agent's TCP port on this machine */
    OpenGymInterface(uint32_t port = 5555);
    /** @param endpoint a ZeroMQ endpoint, say ipc:///path */
    explicit OpenGymInterface(const std::string& endpoint);
    ~OpenGymInterface() override;

    /**
     * Connect and exchange the spaces. Called by the first Notify where the scenario doesn't.
     *
     * @throws OpenGymError when the answer is malformed
     */
    void Init();

    /**
     * Send the state, wait for the action and carry it out.
     *
     * @throws OpenGymError when the answer is malformed or the scenario refuses the action
     */
    void NotifyCurrentState();
    /** Send the last state when the agent has not stopped us before. */
    void WaitForStop();
    /** Tell the agent that simulated time is over. */
    void NotifySimulationEnd();

    Ptr<OpenGymSpace> GetActionSpace();
    Ptr<OpenGymSpace> GetObservationSpace();
    Ptr<OpenGymDataContainer> GetObservation();
    float GetReward();
    bool IsGameOver();
    std::string GetExtraInfo();
    bool ExecuteActions(Ptr<OpenGymDataContainer> action);

    void SetGetActionSpaceCb(Callback<Ptr<OpenGymSpace>> cb);
    void SetGetObservationSpaceCb(Callback<Ptr<OpenGymSpace>> cb);
    void SetGetObservationCb(Callback<Ptr<OpenGymDataContainer>> cb);
    void SetGetRewardCb(Callback<float> cb);
    void SetGetGameOverCb(Callback<bool> cb);
    void SetGetExtraInfoCb(Callback<std::string> cb);
    void SetExecuteActionsCb(Callback<bool, Ptr<OpenGymDataContainer>> cb);

    /** Set all seven callbacks. @param entity whose methods they call; it is not kept alive */
    void SetCallbacks(Ptr<OpenGymEnv> entity);

    /** @param entity the environment whose state is due */
    void Notify(Ptr<OpenGymEnv> entity);

    /** @return whether the agent asked the simulation to stop */
    bool IsStopRequested() const;

  protected:
    void DoInitialize() override;
    void DoDispose() override;

  private:
    void Connect();
    void Disconnect();
    void Send(const google::protobuf::MessageLite& message);
    void Receive(google::protobuf::MessageLite& message);
    void RequestStop();
    void SendState();
    void Execute();

    std::string m_endpoint;
    void* m_context{nullptr};
    void* m_socket{nullptr};
    std::string m_request;               ///< the last message as bytes; kept for its memory
    ns3opengym::EnvActMsg m_reply;       ///< the last answer; kept for its memory
    const OpenGymEnv* m_entity{nullptr}; ///< whose callbacks are set, where it is one's
    Ptr<OpenGymSpace> m_actionSpace;     ///< as announced; what every action is compared with
    bool m_disposed{false};
    bool m_simEnd{false};
    bool m_stopRequested{false};
    bool m_initSimMsgSent{false};

    Callback<Ptr<OpenGymSpace>> m_actionSpaceCb;
    Callback<Ptr<OpenGymSpace>> m_observationSpaceCb;
    Callback<bool> m_gameOverCb;
    Callback<Ptr<OpenGymDataContainer>> m_obsCb;
    Callback<float> m_rewardCb;
    Callback<std::string> m_extraInfoCb;
    Callback<bool, Ptr<OpenGymDataContainer>> m_actionCb;
};

} // namespace ns3

#endif // OPENGYM_INTERFACE_H
