/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_EXCESS_LOSS_MODEL_H
#define SPLITSIM_EXCESS_LOSS_MODEL_H

#include "ns3/mobility-model.h"
#include "ns3/propagation-loss-model.h"

namespace splitsim
{

/**
 * Base of the losses that come on top of a path loss. Each is reciprocal and draws nothing from
 * ns-3's streams: what it depends on is where the ends are, the time and the seed.
 */
class ExcessLossModel : public ns3::PropagationLossModel
{
  public:
    static ns3::TypeId GetTypeId();

    /** @param a one end @param b the other. @return the loss now in dB; negative is a gain */
    virtual double GetLossDb(ns3::Ptr<ns3::MobilityModel> a,
                             ns3::Ptr<ns3::MobilityModel> b) const = 0;

  private:
    double DoCalcRxPower(double txPowerDbm,
                         ns3::Ptr<ns3::MobilityModel> a,
                         ns3::Ptr<ns3::MobilityModel> b) const override;
    int64_t DoAssignStreams(int64_t stream) override;
};

} // namespace splitsim

#endif // SPLITSIM_EXCESS_LOSS_MODEL_H
