/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "excess-loss-model.h"

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(ExcessLossModel);

TypeId
ExcessLossModel::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::ExcessLossModel")
                            .SetParent<PropagationLossModel>()
                            .SetGroupName("Splitsim");
    return tid;
}

double
ExcessLossModel::DoCalcRxPower(double txPowerDbm, Ptr<MobilityModel> a, Ptr<MobilityModel> b) const
{
    return txPowerDbm - GetLossDb(a, b);
}

int64_t
ExcessLossModel::DoAssignStreams(int64_t /* stream */)
{
    return 0;
}

} // namespace splitsim
