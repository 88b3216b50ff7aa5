/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "path-loss.h"

#include "line-of-sight.h"

#include "ns3/boolean.h"
#include "ns3/object-factory.h"
#include "ns3/pointer.h"
#include "ns3/three-gpp-propagation-loss-model.h"

#include <map>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(SharedLossModel);

namespace
{

/**
 * Asks another model with the lower end first. Of two ends of which neither is at 10 m, ns-3's UMi
 * takes the first one's height for the UE's: without this a base station at 15 m is heard 4 dB too
 * loud out of sight, and not as it hears.
 */
class LowerFirstLossModel : public PropagationLossModel
{
  public:
    static TypeId GetTypeId()
    {
        static TypeId tid = TypeId("splitsim::LowerFirstLossModel")
                                .SetParent<PropagationLossModel>()
                                .SetGroupName("Splitsim");
        return tid;
    }

    explicit LowerFirstLossModel(Ptr<PropagationLossModel> asked)
        : m_asked(asked)
    {
    }

  private:
    double DoCalcRxPower(double txPowerDbm,
                         Ptr<MobilityModel> a,
                         Ptr<MobilityModel> b) const override
    {
        const bool lower = a->GetPosition().z <= b->GetPosition().z;
        return m_asked->CalcRxPower(txPowerDbm, lower ? a : b, lower ? b : a);
    }

    int64_t DoAssignStreams(int64_t /* stream */) override
    {
        return 0; // nothing is drawn from ns-3's streams
    }

    Ptr<PropagationLossModel> m_asked;
};

NS_OBJECT_ENSURE_REGISTERED(LowerFirstLossModel);

Ptr<ChannelConditionModel>
MakeCondition(const PathLossConfig& config,
              const std::vector<Ptr<MobilityModel>>& sites,
              uint64_t seed)
{
    if (config.lineOfSight == "always")
    {
        return CreateObject<AlwaysLosChannelConditionModel>();
    }
    if (config.lineOfSight == "never")
    {
        return CreateObject<NeverLosChannelConditionModel>();
    }
    auto condition = CreateObject<PlaceConditionModel>();
    condition->Configure(config.model, sites, seed);
    return condition;
}

} // namespace

PathLossConfig
ReadPathLoss(const Section& section)
{
    PathLossConfig config;
    config.model = section.ReadName("model", {"uma", "umi", "rma", "log-distance", "friis"});
    if (config.model == "log-distance")
    {
        section.Read("reference_loss_db", config.referenceLossDb);
        section.Read("reference_distance_m", config.referenceDistanceM);
        section.Read("exponent", config.exponent);
    }
    else if (config.model != "friis")
    {
        config.lineOfSight = section.ReadName("line_of_sight", {"always", "never", "by-distance"});
    }
    return config;
}

Ptr<PropagationLossModel>
MakePathLoss(const PathLossConfig& config,
             double frequencyHz,
             const std::vector<Ptr<MobilityModel>>& sites,
             uint64_t seed)
{
    if (config.model == "log-distance")
    {
        auto loss = CreateObject<LogDistancePropagationLossModel>();
        loss->SetPathLossExponent(config.exponent);
        loss->SetReference(config.referenceDistanceM, config.referenceLossDb);
        return loss;
    }
    if (config.model == "friis")
    {
        auto loss = CreateObject<FriisPropagationLossModel>();
        loss->SetFrequency(frequencyHz);
        return loss;
    }
    static const std::map<std::string, std::string> types{
        {"uma", "ns3::ThreeGppUmaPropagationLossModel"},
        {"umi", "ns3::ThreeGppUmiStreetCanyonPropagationLossModel"},
        {"rma", "ns3::ThreeGppRmaPropagationLossModel"},
    };
    ObjectFactory factory(types.at(config.model));
    auto loss = factory.Create<ThreeGppPropagationLossModel>();
    loss->SetFrequency(frequencyHz);
    loss->SetChannelConditionModel(MakeCondition(config, sites, seed));
    // Both are drawn by call order in ns-3; shadowing is the environment's.
    loss->SetAttribute("ShadowingEnabled", BooleanValue(false));
#if SPLITSIM_NS3_MINOR >= 38
    loss->SetAttribute("BuildingPenetrationLossesEnabled", BooleanValue(false));
#endif
    return CreateObject<LowerFirstLossModel>(loss);
}

TypeId
SharedLossModel::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::SharedLossModel")
                            .SetParent<PropagationLossModel>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<SharedLossModel>()
                            .AddAttribute("Chain",
                                          "The first model of the chain.",
                                          PointerValue(),
                                          MakePointerAccessor(&SharedLossModel::m_chain),
                                          MakePointerChecker<PropagationLossModel>());
    return tid;
}

SharedLossModel::SharedLossModel() = default;

double
SharedLossModel::DoCalcRxPower(double txPowerDbm, Ptr<MobilityModel> a, Ptr<MobilityModel> b) const
{
    return m_chain->CalcRxPower(txPowerDbm, a, b);
}

int64_t
SharedLossModel::DoAssignStreams(int64_t /* stream */)
{
    return 0; // nothing is drawn from ns-3's streams
}

} // namespace splitsim
