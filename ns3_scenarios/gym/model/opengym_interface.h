/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef OPENGYM_INTERFACE_H
#define OPENGYM_INTERFACE_H

#include "container.h"
#include "opengym-error.h"
#include "spaces.h"

#include "ns3/callback.h"
#include "ns3/object.h"

#include <cstdint>
#include <memory>
#include <string>

namespace ns3
{

class OpenGymEnv;
class ZmtpRequester;

/**
 * The simulator's end of the ns3-gym protocol: a ZeroMQ REQ socket that sends states and waits for
 * actions. The simulation stands still while the agent thinks.
 *
 * A wait ends when the agent answers or closes its connection, or when the process that started us
 * is gone: an agent that hands down a pipe by the environment variable PYAGENT_PARENT_FD is watched
 * through it.
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
    /** @param endpoint a ZeroMQ endpoint: ipc://PATH or tcp://HOST:PORT */
    explicit OpenGymInterface(const std::string& endpoint);
    ~OpenGymInterface() override;

    /**
     * Connect and exchange the spaces. Called by the first Notify where the scenario doesn't.
     *
     * Waits until an agent listens.
     *
     * @throws OpenGymError when the answer is malformed or the agent is gone
     */
    void Init();

    /**
     * Send the state, wait for the action and carry it out.
     *
     * @throws OpenGymError when the answer is malformed, the scenario refuses the action or the agent
     * is gone
     */
    void NotifyCurrentState();
    /** Send the last state when the agent has not stopped us before. */
    void WaitForStop();
    /** Tell the agent that simulated time is over. An agent that is gone by then is no error. */
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
    std::unique_ptr<ZmtpRequester> m_wire; ///< null until connected
    ns3opengym::EnvActMsg m_reply;         ///< the last answer; kept for its memory
    const OpenGymEnv* m_entity{nullptr};   ///< whose callbacks are set, where it is one's
    Ptr<OpenGymSpace> m_actionSpace;       ///< as announced; what every action is compared with
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
