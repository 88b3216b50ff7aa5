/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_LINK_H
#define SPLITSIM_LINK_H

#include "../inference/model/delivery-record.h"
#include "../inference/model/fragment.h"
#include "../scenario/scenario-config.h"

#include "ns3/ipv4-address.h"
#include "ns3/mobility-model.h"
#include "ns3/node-container.h"
#include "ns3/object.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace splitsim
{

/** What the agent's UE knows of its link at one instant; what a technology doesn't have stays 0. */
struct LinkState
{
    double snrDb{0};          ///< signal quality, mean of the last second before the newest sample
    double snrTrendDbPerS{0}; ///< least-squares slope of these samples
    double snrAgeS{0};        ///< since the newest sample
    double rsrpDbm{0};        ///< signal power of the serving cell, mean like the SNR
    double phyRateMbps{0};    ///< of the last data sent, or what the UE would expect
    double mcs{0};            ///< index of the modulation and coding scheme of the last data sent
    double retryShare{0};     ///< share of the last second's transmissions that were repetitions
    double handoverAgeS{0};   ///< since the serving cell changed; since the start when it never did
    uint32_t queueDepth{0};   ///< packets in the device queue
    int32_t servingCell{-1};  ///< index into the sites, -1 for none
};

/** An access point or a base station. */
struct Site
{
    std::string name;
    Point position;
};

/** What could be received at a place, without fading. */
struct Reception
{
    double rxPowerDbm{0};
    double snrDb{0};
    double rateMbps{0}; ///< of the PHY at this SNR, alone in the cell
};

/** Called for every fragment or reply that a layer gives up, and why. */
using DropCallback = std::function<void(const FragmentTag&, Outcome)>;

struct Environment;

/** What a link is built between, and for which episode. */
struct LinkContext
{
    ns3::NodeContainer ues; ///< with mobility; the agent's first
    ns3::Ptr<ns3::Node> edge;
    std::shared_ptr<const Environment> environment; ///< the losses beside path loss; may be null
    uint64_t seed{0};  ///< of the episode: what may not depend on the replicate
    int64_t stream{0}; ///< first stream of ns-3's random numbers to use
    double endS{0};    ///< nothing is asked of the link after
    DropCallback onDrop;
    bool observed{true}; ///< whether anyone will ask for states and queues
};

/**
 * A radio technology: everything between the UEs' sockets and the edge's. A new one is one file that
 * derives from this class and registers itself under its name.
 */
class Link : public ns3::Object
{
  public:
    static ns3::TypeId GetTypeId();

    /** Makes devices, internet stacks, addresses and routes. @param context between what */
    void Build(const LinkContext& context);
    /** @return the UEs that it was built between, the agent's first; none before Build */
    ns3::NodeContainer GetUes() const;

    /** @return where the edge listens */
    virtual ns3::Ipv4Address GetEdgeAddress() const = 0;
    /** @param ue index of a UE. @return its address */
    virtual ns3::Ipv4Address GetUeAddress(uint32_t ue) const = 0;
    /** @return what the agent's UE knows now */
    virtual LinkState GetState() const = 0;
    /** @param ue index of a UE. @return packets in its device queue */
    virtual uint32_t GetQueueDepth(uint32_t ue) const = 0;
    /** @param ue index of a UE @param onRoom called whenever a packet left its device queue */
    virtual void SetRoomCallback(uint32_t ue, std::function<void()> onRoom) = 0;
    /** @return J that the agent's radio has taken since the start, above idle */
    virtual double GetRadioEnergyAboveIdleJ() const = 0;
    /** @return access points or base stations, also before Build */
    virtual std::vector<Site> GetSites() const = 0;
    /**
     * What a UE would receive from a site, by the same models that the packets meet, fading left out.
     *
     * @param site index into the sites
     * @param where the UE is
     */
    virtual Reception GetReception(uint32_t site, ns3::Ptr<ns3::MobilityModel> where) const = 0;
    /**
     * @return whether packets keep their order and losses go unreported: then what overtook a missing
     *         fragment proves it lost
     */
    virtual bool LosesInSilence() const;

  private:
    /** Does what Build promises. @param context between what */
    virtual void DoBuild(const LinkContext& context) = 0;

    ns3::NodeContainer m_ues;
};

/** Makes a link of the scenario's `link` section. @throws ConfigError for a field that isn't valid */
using LinkMaker = std::function<ns3::Ptr<Link>(const Section&)>;

/** Enters a technology into the register; one static object for each. */
class LinkRegistration
{
  public:
    /** @param technology its name @param make from its section */
    LinkRegistration(const std::string& technology, LinkMaker make);
};

/**
 * @param section the scenario's `link`
 * @return the link of the technology that it names
 * @throws ConfigError for an unknown technology, or a field that isn't valid
 */
ns3::Ptr<Link> MakeLink(const Section& section);

} // namespace splitsim

#endif // SPLITSIM_LINK_H
