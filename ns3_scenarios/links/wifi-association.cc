/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "wifi-association.h"

#include "ns3/arp-cache.h"
#include "ns3/ipv4-routing-table-entry.h"
#include "ns3/qos-txop.h"
#include "ns3/simulator.h"
#include "ns3/wifi-mac-queue.h"
#include "ns3/wifi-mpdu.h"
#include "ns3/wifi-net-device.h"

#include <algorithm>
#include <map>

namespace splitsim
{

using namespace ns3;

namespace
{

/// By then an association response has been acknowledged or given up.
constexpr auto ASSOCIATION_SETTLED_MS = 20;

/**
 * Gives the frames that wait for one access point to another: the station keeps what it has not sent
 * yet when it moves. What was sent and not acknowledged stays with the old one.
 *
 * @param station the station, associated to the new one
 * @param from the old access point
 * @param to the new one
 */
void
HandFramesOver(Ptr<StaWifiMac> station, Mac48Address from, Mac48Address to)
{
#if SPLITSIM_NS3_MINOR >= 44
    constexpr uint8_t BEST_EFFORT_TID = 0;
    const auto queue = station->GetQosTxop(AC_BE)->GetWifiMacQueue();
    std::vector<Ptr<WifiMpdu>> waiting;
    for (auto mpdu = queue->PeekByTidAndAddress(BEST_EFFORT_TID, from); mpdu;
         mpdu = queue->PeekByTidAndAddress(BEST_EFFORT_TID, from, mpdu))
    {
        // A sequence number that was used must be acknowledged or given up, else the old access
        // point's block acknowledgement window never moves on.
        if (!mpdu->HasSeqNoAssigned() && !mpdu->IsInFlight())
        {
            waiting.push_back(mpdu);
        }
    }
    const Ptr<WifiMac> mac = station;
    for (const auto& mpdu : waiting)
    {
        mac->Enqueue(mpdu->GetPacket()->Copy(), to);
        queue->Remove(mpdu);
    }
#else
    (void)station;
    (void)from;
    (void)to;
#endif
}

} // namespace

void
KeepAssociationsAgreed(const NetDeviceContainer& stations, const NetDeviceContainer& accessPoints)
{
    std::map<Mac48Address, Ptr<WifiRemoteStationManager>> managers;
    for (uint32_t i = 0; i < accessPoints.GetN(); i++)
    {
        const auto device = DynamicCast<WifiNetDevice>(accessPoints.Get(i));
        managers[device->GetMac()->GetAddress()] = device->GetRemoteStationManager();
    }
    for (uint32_t i = 0; i < stations.GetN(); i++)
    {
        // Not a Ptr: the station would hold itself.
        auto* station = PeekPointer(
            DynamicCast<StaWifiMac>(DynamicCast<WifiNetDevice>(stations.Get(i))->GetMac()));
        const auto mend = [station, managers](Mac48Address accessPoint) {
            const auto manager = managers.at(accessPoint);
            const bool stays = station->IsAssociated() && station->GetBssid(0) == accessPoint;
            if (stays && !manager->IsAssociated(station->GetAddress()))
            {
                manager->RecordGotAssocTxOk(station->GetAddress());
            }
        };
        station->TraceConnectWithoutContext(
            "Assoc",
            Callback<void, Mac48Address>([mend](Mac48Address accessPoint) {
                Simulator::Schedule(MilliSeconds(ASSOCIATION_SETTLED_MS),
                                    [mend, accessPoint] { mend(accessPoint); });
            }));
    }
}

void
Attachment::Follow()
{
    const auto before = serving;
    serving = station->IsAssociated() ? station->GetBssid(0) : serving;
    const auto cache = interface->GetArpCache();
    auto entry = cache->Lookup(gateway);
    entry = entry ? entry : cache->Add(gateway);
    entry->SetMacAddress(serving);
    entry->MarkPermanent();
    if (serving != before)
    {
        MoveRoute();
        HandFramesOver(station, before, serving);
    }
}

void
Attachment::MoveRoute() const
{
    const auto ue = interface->GetAddress(0).GetLocal();
    for (uint32_t i = 0; i < edge->GetNRoutes(); i++)
    {
        if (edge->GetRoute(i).GetDest() == ue)
        {
            edge->RemoveRoute(i);
            break;
        }
    }
    const auto site = std::find(bssids.begin(), bssids.end(), serving) - bssids.begin();
    edge->AddHostRouteTo(ue, static_cast<uint32_t>(site) + 1);
}

} // namespace splitsim
