/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef OPENGYM_ENV_H
#define OPENGYM_ENV_H

#include "container.h"
#include "spaces.h"

#include "ns3/object.h"

#include <string>

namespace ns3
{

class OpenGymInterface;

/** The environment as the agent sees it; a scenario derives from this and fills in seven methods.
 */
class OpenGymEnv : public Object
{
  public:
    static TypeId GetTypeId();
    OpenGymEnv();
    ~OpenGymEnv() override;

    virtual Ptr<OpenGymSpace> GetActionSpace() = 0;
    virtual Ptr<OpenGymSpace> GetObservationSpace() = 0;
    /** @return whether the episode ended by the scenario's own rule */
    virtual bool GetGameOver() = 0;
    virtual Ptr<OpenGymDataContainer> GetObservation() = 0;
    virtual float GetReward() = 0;
    /** @return free text for the agent; a JSON object reaches it parsed */
    virtual std::string GetExtraInfo() = 0;
    /** @param action what the agent answered. @return false when it can't be carried out */
    virtual bool ExecuteActions(Ptr<OpenGymDataContainer> action) = 0;

    /** @param openGymInterface the wire this environment speaks on */
    void SetOpenGymInterface(Ptr<OpenGymInterface> openGymInterface);
    /** Send the state to the agent, wait for its action and carry it out. */
    void Notify();
    /** Tell the agent that the simulation is over. */
    void NotifySimulationEnd();

  protected:
    void DoDispose() override;

    Ptr<OpenGymInterface> m_openGymInterface;
};

} // namespace ns3

#endif // OPENGYM_ENV_H
