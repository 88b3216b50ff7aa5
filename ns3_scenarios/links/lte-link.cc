/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * `link.technology: lte`: base stations (eNBs) of one LTE carrier behind an EPC.
 */
#include "../mobility/mobility-builder.h"
#include "backhaul.h"
#include "environment.h"
#include "lte-observer.h"
#include "path-loss.h"
#include "radio-energy.h"
#include "trace-fading-loss-model.h"

#include "ns3/boolean.h"
#include "ns3/config.h"
#include "ns3/double.h"
#include "ns3/enum.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4-address-helper.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/lte-amc.h"
#include "ns3/lte-enb-net-device.h"
#include "ns3/lte-enb-phy.h"
#include "ns3/lte-helper.h"
#include "ns3/lte-spectrum-value-helper.h"
#include "ns3/lte-ue-net-device.h"
#include "ns3/lte-ue-phy.h"
#include "ns3/point-to-point-epc-helper.h"
#include "ns3/pointer.h"
#include "ns3/simulator.h"
#include "ns3/spectrum-value.h"
#include "ns3/string.h"
#include "ns3/traffic-control-helper.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

namespace splitsim
{

using namespace ns3;

namespace
{

/** When a UE is handed to another cell; `algorithm` says which of the fields count. */
struct HandoverConfig
{
    std::string algorithm; ///< none, a3-rsrp or a2-a4-rsrq
    double hysteresisDb{3};
    double timeToTriggerS{0.256};
    uint32_t servingThreshold{30}; ///< RSRQ range, 0 to 34
    uint32_t neighbourOffset{1};
};

/** Fading from a file; no file, no such fading. */
struct FadingTraceConfig
{
    std::string file;
    double stepS{0};
};

/** The `link` section of this technology. */
struct LteConfig
{
    uint32_t earfcn{1575}; ///< of the downlink
    uint32_t bandwidthRb{50};
    double enbTxPowerDbm{46};
    double ueTxPowerDbm{23};
    double enbNoiseFigureDb{5};
    double ueNoiseFigureDb{9};
    bool uplinkPowerControl{true};
    std::vector<Point> enbs;
    std::string scheduler;
    HandoverConfig handover;
    PathLossConfig pathLoss;
    FadingConfig fading;
    FadingTraceConfig fadingTrace;
    std::string rlc; ///< um or am
    uint32_t rlcBufferBytes{0};
    double rlcReorderingS{0.04};  ///< um: how long what overtook a missing PDU waits for it
    uint32_t srsPeriodicityMs{0}; ///< 0: chosen by the number of UEs
    BackhaulConfig backhaul;
    RadioEnergyConfig energy;
};

/// Of a frequency pair of the bands here (3GPP TS 36.101, table 5.7.3-1).
constexpr uint32_t UPLINK_EARFCN_OFFSET = 18000;
/// Streams of the devices come first, those of the internet stacks so much later.
constexpr int64_t INTERNET_STREAM = 40000;
/// Between a UE's reports of channel quality (3GPP TS 36.213, table 7.2.2-1A, allows 2 to 160 ms). In ns-3
/// each is costly: all modulation and coding schemes are tried on all resource block groups.
constexpr int64_t CQI_PERIOD_MS = 10;
constexpr uint32_t SUBCARRIERS_PER_RB = 12;
constexpr double SUBCARRIER_HZ = 15e3;

const std::map<std::string, std::string>&
Schedulers()
{
    static const std::map<std::string, std::string> types{
        {"pf", "ns3::PfFfMacScheduler"},
        {"rr", "ns3::RrFfMacScheduler"},
        {"fd-mt", "ns3::FdMtFfMacScheduler"},
        {"td-bet", "ns3::TdBetFfMacScheduler"},
        {"tta", "ns3::TtaFfMacScheduler"},
        {"pss", "ns3::PssFfMacScheduler"},
    };
    return types;
}

HandoverConfig
ReadHandover(const Section& section)
{
    HandoverConfig handover;
    handover.algorithm = section.ReadName("algorithm", {"none", "a3-rsrp", "a2-a4-rsrq"});
    section.Read("hysteresis_db", handover.hysteresisDb);
    section.Read("time_to_trigger_s", handover.timeToTriggerS);
    section.Read("serving_threshold", handover.servingThreshold);
    section.Read("neighbour_offset", handover.neighbourOffset);
    return handover;
}

LteConfig
ReadLte(const Section& section)
{
    LteConfig link;
    section.Read("earfcn", link.earfcn);
    section.Read("bandwidth_rb", link.bandwidthRb);
    section.Read("enb_tx_power_dbm", link.enbTxPowerDbm);
    section.Read("ue_tx_power_dbm", link.ueTxPowerDbm);
    section.Read("enb_noise_figure_db", link.enbNoiseFigureDb);
    section.Read("ue_noise_figure_db", link.ueNoiseFigureDb);
    section.Read("uplink_power_control", link.uplinkPowerControl);
    section.Read("enbs_m", link.enbs);
    section.Require(!link.enbs.empty(), "enbs_m", "at least one");
    link.scheduler = section.ReadName("scheduler", {"pf", "rr", "fd-mt", "td-bet", "tta", "pss"});
    link.handover = ReadHandover(section["handover"]);
    link.pathLoss = ReadPathLoss(section["path_loss"]);
    link.fading = ReadFading(section["fading"]);
    section["fading_trace"].Read("file", link.fadingTrace.file);
    section["fading_trace"].Read("step_s", link.fadingTrace.stepS);
    link.rlc = section.ReadName("rlc", {"um", "am"});
    section.Read("rlc_buffer_bytes", link.rlcBufferBytes);
    section.Read("rlc_reordering_s", link.rlcReorderingS);
    section.Read("srs_periodicity_ms", link.srsPeriodicityMs);
    link.backhaul = ReadBackhaul(section["backhaul"]);
    link.energy = ReadRadioEnergy(section["radio_energy"]);
    return link;
}

/**
 * Each UE of a cell has a subframe of its own to sound the channel in, so the period bounds how many
 * a cell can hold (ns-3 ends the program beyond). One is kept for a UE that comes back before its old
 * context is gone.
 */
uint32_t
ChooseSrsPeriodicityMs(uint32_t ues)
{
    for (const uint32_t periodMs : {2, 5, 10, 20, 40, 80, 160})
    {
        if (ues + 1 < periodMs)
        {
            return periodMs;
        }
    }
    return 320;
}

} // namespace

/** The LTE link. */
class LteLink : public Link
{
  public:
    explicit LteLink(LteConfig config);

    Ipv4Address GetEdgeAddress() const override;
    Ipv4Address GetUeAddress(uint32_t ue) const override;
    LinkState GetState() const override;
    uint32_t GetQueueDepth(uint32_t ue) const override;
    void SetRoomCallback(uint32_t ue, std::function<void()> onRoom) override;
    double GetRadioEnergyAboveIdleJ() const override;
    std::vector<Site> GetSites() const override;
    Reception GetReception(uint32_t site, Ptr<MobilityModel> where) const override;
    bool LosesInSilence() const override;

  private:
    void DoBuild(const LinkContext& context) override;
    void SetDefaults(uint32_t ues) const;
    void PlaceSites();
    Ptr<PropagationLossModel> MakeLoss(const LinkContext& context) const;
    Ptr<LteHelper> MakeHelper(const LinkContext& context) const;
    void BuildDevices(const LinkContext& context, Ptr<LteHelper> helper);
    void BuildEdge(const LinkContext& context);
    void Observe(const LinkContext& context);
    double GetRateMbps(double snr) const;

    LteConfig m_config;
    NodeContainer m_sites;
    Ptr<PointToPointEpcHelper> m_epc;
    NetDeviceContainer m_enbs;
    NetDeviceContainer m_ues;
    Ipv4InterfaceContainer m_ueAddresses;
    Ipv4Address m_edgeAddress;
    std::vector<Ptr<LteObserver>> m_observers; ///< one for each UE
    Ptr<PropagationLossModel> m_meanLoss;      ///< without fading
    std::shared_ptr<RadioEnergy> m_energy;
};

namespace
{

const LinkRegistration g_lte("lte", [](const Section& section) {
    return Create<LteLink>(ReadLte(section));
});

} // namespace

LteLink::LteLink(LteConfig config)
    : m_config(std::move(config))
{
}

void
LteLink::DoBuild(const LinkContext& context)
{
    SetDefaults(context.ues.GetN());
    PlaceSites();
    m_meanLoss = MakeLoss(context);
    m_epc = CreateObject<PointToPointEpcHelper>();
    auto helper = MakeHelper(context);
    BuildEdge(context);
    BuildDevices(context, helper);
    Observe(context);
}

void
LteLink::SetDefaults(uint32_t ues) const
{
    const auto buffer = UintegerValue(m_config.rlcBufferBytes);
    Config::SetDefault("ns3::LteRlcUm::MaxTxBufferSize", buffer);
    Config::SetDefault("ns3::LteRlcAm::MaxTxBufferSize", buffer);
    Config::SetDefault("ns3::LteRlcUm::ReorderingTimer",
                       TimeValue(Seconds(m_config.rlcReorderingS)));
    // Else a packet that finds one waiting longer than its bearer's delay budget is thrown away. ns-3
    // 3.37 never does that, and has no such attribute.
    Config::SetDefaultFailSafe("ns3::LteRlcUm::EnablePdcpDiscarding", BooleanValue(false));
    Config::SetDefault("ns3::LteEnbRrc::EpsBearerToRlcMapping",
                       StringValue(m_config.rlc == "um" ? "RlcUmAlways" : "RlcAmAlways"));
    const auto srsMs =
        m_config.srsPeriodicityMs ? m_config.srsPeriodicityMs : ChooseSrsPeriodicityMs(ues);
    if (ues > srsMs)
    {
        throw ConfigError("link.srs_periodicity_ms: " + std::to_string(srsMs) + " holds " +
                          std::to_string(srsMs) + " UEs, and there are " + std::to_string(ues));
    }
    Config::SetDefault("ns3::LteEnbRrc::SrsPeriodicity", UintegerValue(srsMs));
    Config::SetDefault("ns3::LteUePhy::DownlinkCqiPeriodicity",
                       TimeValue(MilliSeconds(CQI_PERIOD_MS)));
    Config::SetDefault("ns3::LteUePhy::EnableUplinkPowerControl",
                       BooleanValue(m_config.uplinkPowerControl));
    Config::SetDefault("ns3::LteUePhy::TxPower", DoubleValue(m_config.ueTxPowerDbm));
    Config::SetDefault("ns3::LteUePowerControl::Pcmax", DoubleValue(m_config.ueTxPowerDbm));
    Config::SetDefault("ns3::LteUePhy::NoiseFigure", DoubleValue(m_config.ueNoiseFigureDb));
    Config::SetDefault("ns3::LteEnbPhy::TxPower", DoubleValue(m_config.enbTxPowerDbm));
    Config::SetDefault("ns3::LteEnbPhy::NoiseFigure", DoubleValue(m_config.enbNoiseFigureDb));
}

void
LteLink::PlaceSites()
{
    m_sites.Create(m_config.enbs.size());
    for (uint32_t i = 0; i < m_sites.GetN(); i++)
    {
        InstallFixed(m_sites.Get(i), m_config.enbs[i]);
    }
}

Ptr<PropagationLossModel>
LteLink::MakeLoss(const LinkContext& context) const
{
    std::vector<Ptr<MobilityModel>> sites;
    for (uint32_t i = 0; i < m_sites.GetN(); i++)
    {
        sites.push_back(m_sites.Get(i)->GetObject<MobilityModel>());
    }
    auto loss = MakePathLoss(m_config.pathLoss,
                             LteSpectrumValueHelper::GetDownlinkCarrierFrequency(m_config.earfcn),
                             sites,
                             context.seed);
    AddEnvironment(loss, context);
    return loss;
}

Ptr<LteHelper>
LteLink::MakeHelper(const LinkContext& context) const
{
    auto helper = CreateObject<LteHelper>();
    helper->SetEpcHelper(m_epc);
    helper->SetSchedulerType(Schedulers().at(m_config.scheduler));
    if (m_config.handover.algorithm == "a3-rsrp")
    {
        helper->SetHandoverAlgorithmType("ns3::A3RsrpHandoverAlgorithm");
        helper->SetHandoverAlgorithmAttribute("Hysteresis",
                                              DoubleValue(m_config.handover.hysteresisDb));
        helper->SetHandoverAlgorithmAttribute("TimeToTrigger",
                                              TimeValue(Seconds(m_config.handover.timeToTriggerS)));
    }
    else if (m_config.handover.algorithm == "a2-a4-rsrq")
    {
        helper->SetHandoverAlgorithmType("ns3::A2A4RsrqHandoverAlgorithm");
        helper->SetHandoverAlgorithmAttribute("ServingCellThreshold",
                                              UintegerValue(m_config.handover.servingThreshold));
        helper->SetHandoverAlgorithmAttribute("NeighbourCellOffset",
                                              UintegerValue(m_config.handover.neighbourOffset));
    }
    helper->SetEnbDeviceAttribute("DlBandwidth", UintegerValue(m_config.bandwidthRb));
    helper->SetEnbDeviceAttribute("UlBandwidth", UintegerValue(m_config.bandwidthRb));
    helper->SetEnbDeviceAttribute("DlEarfcn", UintegerValue(m_config.earfcn));
    helper->SetEnbDeviceAttribute("UlEarfcn",
                                  UintegerValue(m_config.earfcn + UPLINK_EARFCN_OFFSET));
    helper->SetUeDeviceAttribute("DlEarfcn", UintegerValue(m_config.earfcn));
    // One chain for both directions: the same loss both ways, at the downlink's carrier.
    auto loss = MakeLoss(context);
    AddFading(loss, m_config.fading, context.seed);
    helper->SetPathlossModelType(SharedLossModel::GetTypeId());
    helper->SetPathlossModelAttribute("Chain", PointerValue(loss));
    if (!m_config.fadingTrace.file.empty())
    {
        auto trace = CreateObject<FadingTrace>();
        trace->Load(m_config.fadingTrace.file,
                    m_config.bandwidthRb,
                    m_config.fadingTrace.stepS,
                    context.seed);
        helper->SetFadingModel("splitsim::LteTraceFadingLossModel");
        helper->SetFadingModelAttribute("Trace", PointerValue(trace));
    }
    return helper;
}

void
LteLink::BuildEdge(const LinkContext& context)
{
    InternetStackHelper internet;
    internet.Install(context.edge);
    const auto gateway = m_epc->GetPgwNode();
    const auto backhaul = BuildBackhaul(m_config.backhaul, gateway, context.edge, context.onDrop);
    Ipv4AddressHelper addresses;
    addresses.SetBase("10.2.0.0", "255.255.255.0");
    const auto wired = addresses.Assign(backhaul);
    m_edgeAddress = wired.GetAddress(1);
    // ns-3 puts a CoDel queue before each device; here a loss has one place to happen in.
    TrafficControlHelper trafficControl;
    trafficControl.Uninstall(backhaul);
    Ipv4StaticRoutingHelper routing;
    routing.GetStaticRouting(context.edge->GetObject<Ipv4>())
        ->SetDefaultRoute(wired.GetAddress(0), 1);
}

void
LteLink::BuildDevices(const LinkContext& context, Ptr<LteHelper> helper)
{
    m_enbs = helper->InstallEnbDevice(m_sites);
    m_ues = helper->InstallUeDevice(context.ues);
    auto stream = context.stream;
    stream += helper->AssignStreams(m_enbs, stream);
    helper->AssignStreams(m_ues, stream);

    InternetStackHelper internet;
    internet.Install(context.ues);
    internet.AssignStreams(context.ues, context.stream + INTERNET_STREAM);
    m_ueAddresses = m_epc->AssignUeIpv4Address(m_ues);
    Ipv4StaticRoutingHelper routing;
    for (uint32_t i = 0; i < context.ues.GetN(); i++)
    {
        routing.GetStaticRouting(context.ues.Get(i)->GetObject<Ipv4>())
            ->SetDefaultRoute(m_epc->GetUeDefaultGatewayAddress(), 1);
    }
    if (m_sites.GetN() > 1)
    {
        helper->AddX2Interface(m_sites);
    }
    // To the strongest cell, as soon as there is one.
    helper->Attach(m_ues);
}

void
LteLink::Observe(const LinkContext& context)
{
    for (uint32_t i = 0; i < m_ues.GetN(); i++)
    {
        const auto ue = DynamicCast<LteUeNetDevice>(m_ues.Get(i));
        m_observers.push_back(CreateObject<LteObserver>());
        m_observers.back()->Attach(ue, m_enbs, context.onDrop);
    }
    m_energy = std::make_shared<RadioEnergy>(m_config.energy);
    m_observers.front()->Follow(m_energy);
}

Ipv4Address
LteLink::GetEdgeAddress() const
{
    return m_edgeAddress;
}

Ipv4Address
LteLink::GetUeAddress(uint32_t ue) const
{
    return m_ueAddresses.GetAddress(ue);
}

LinkState
LteLink::GetState() const
{
    return m_observers.front()->GetState();
}

uint32_t
LteLink::GetQueueDepth(uint32_t ue) const
{
    return m_observers.at(ue)->GetQueueDepth();
}

void
LteLink::SetRoomCallback(uint32_t ue, std::function<void()> onRoom)
{
    m_observers.at(ue)->SetRoomCallback(std::move(onRoom));
}

double
LteLink::GetRadioEnergyAboveIdleJ() const
{
    return m_energy->GetAboveSleepJ();
}

std::vector<Site>
LteLink::GetSites() const
{
    std::vector<Site> sites;
    for (const auto& position : m_config.enbs)
    {
        sites.push_back({"enb-" + std::to_string(sites.size()), position});
    }
    return sites;
}

Reception
LteLink::GetReception(uint32_t site, Ptr<MobilityModel> where) const
{
    Reception reception;
    const auto from = m_sites.Get(site)->GetObject<MobilityModel>();
    // The power of one resource element, as RSRP is defined (3GPP TS 36.214, clause 5.1.1).
    const double elementDbm =
        m_config.enbTxPowerDbm - 10 * std::log10(m_config.bandwidthRb * SUBCARRIERS_PER_RB);
    reception.rxPowerDbm = m_meanLoss->CalcRxPower(elementDbm, from, where);
    // Thermal noise as ns-3's LTE has it, -174 dBm/Hz.
    const double noiseDbm = -174 + 10 * std::log10(SUBCARRIER_HZ) + m_config.ueNoiseFigureDb;
    reception.snrDb = reception.rxPowerDbm - noiseDbm;
    reception.rateMbps = GetRateMbps(std::pow(10, reception.snrDb / 10));
    return reception;
}

double
LteLink::GetRateMbps(double snr) const
{
    SpectrumValue flat(
        LteSpectrumValueHelper::GetSpectrumModel(m_config.earfcn, m_config.bandwidthRb));
    flat = snr;
    const auto amc = CreateObject<LteAmc>();
    // One group as wide as the carrier: the wideband CQI that ns-3's UEs report.
    const int cqi = amc->CreateCqiFeedbacks(flat, m_config.bandwidthRb).front();
    if (cqi == 0)
    {
        return 0;
    }
    const int bits = amc->GetDlTbSizeFromMcs(amc->GetMcsFromCqi(cqi), m_config.bandwidthRb);
    return bits / 1e3; // a transport block takes one millisecond
}

bool
LteLink::LosesInSilence() const
{
    return true;
}

} // namespace splitsim
