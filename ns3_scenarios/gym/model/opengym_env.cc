/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "opengym_env.h"

#include "opengym_interface.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(OpenGymEnv);

TypeId
OpenGymEnv::GetTypeId()
{
    static TypeId tid = TypeId("ns3::OpenGymEnv").SetParent<Object>().SetGroupName("OpenGym");
    return tid;
}

OpenGymEnv::OpenGymEnv() = default;
OpenGymEnv::~OpenGymEnv() = default;

void
OpenGymEnv::DoDispose()
{
    m_openGymInterface = nullptr;
    Object::DoDispose();
}

void
OpenGymEnv::SetOpenGymInterface(Ptr<OpenGymInterface> openGymInterface)
{
    m_openGymInterface = openGymInterface;
    openGymInterface->SetCallbacks(this);
}

void
OpenGymEnv::Notify()
{
    if (m_openGymInterface)
    {
        m_openGymInterface->Notify(this);
    }
}

void
OpenGymEnv::NotifySimulationEnd()
{
    if (m_openGymInterface)
    {
        m_openGymInterface->NotifySimulationEnd();
    }
}

} // namespace ns3
