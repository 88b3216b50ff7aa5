/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_SPLIT_INFERENCE_EDGE_H
#define SPLITSIM_SPLIT_INFERENCE_EDGE_H

#include "../../scenario/scenario-config.h"
#include "compute-queue.h"
#include "delivery-record.h"
#include "fec-groups.h"
#include "fragment.h"

#include "ns3/address.h"
#include "ns3/application.h"
#include "ns3/event-id.h"
#include "ns3/socket.h"

#include <vector>

namespace splitsim
{

/**
 * The edge server's half of split inference.
 *
 * It collects the fragments of a step and starts to compute when all are there (some perhaps
 * recovered from parity), or when no new one
 * came for the reassembly timeout; from then on the step's mask is frozen and later fragments are
 * late. (A timeout since the first fragment would cut every long prompt on a slow link, and a lost
 * reply would cost as long as the longest prompt takes.) It is idempotent per (request, step): a
 * fragment of a step that is computed already makes it send that token id again, once per attempt,
 * and never compute twice.
 */
class SplitInferenceEdge : public ns3::Application
{
  public:
    static ns3::TypeId GetTypeId();
    SplitInferenceEdge();

    /**
     * @param transport timeouts and sizes
     * @param compute the deployed model and this server's speed
     * @param queue where jobs wait
     * @param recorder where arrivals are noted
     * @param ue index of the UE that it serves
     * @param port UDP port to listen on
     */
    void Configure(const TransportConfig& transport,
                   const ComputeConfig& compute,
                   ns3::Ptr<ComputeQueue> queue,
                   ns3::Ptr<DeliveryRecorder> recorder,
                   uint32_t ue,
                   uint16_t port);

  private:
    enum class Phase
    {
        COLLECTING,
        COMPUTING,
        ANSWERED
    };

    void StartApplication() override;
    void StopApplication() override;

    void HandleRead(ns3::Ptr<ns3::Socket> socket);
    void HandleFragment(const FragmentHeader& header, const ns3::Address& from);
    void BeginStep(const FragmentHeader& header, const ns3::Address& from);
    void Collect(const FragmentHeader& header);
    /** @param group of which enough packets are there */
    void Recover(uint32_t group);
    void HandleSilence();
    void NoteArrived(const FragmentHeader& header, bool inTime);
    void Compute();
    void Answer(uint32_t request, uint16_t step);
    void SendToken(uint8_t attempt);
    ns3::Time ServiceTime() const;
    bool IsCurrent(const FragmentHeader& header) const;
    bool IsNewer(const FragmentHeader& header) const;

    TransportConfig m_transport;
    ComputeConfig m_compute;
    ns3::Ptr<ComputeQueue> m_queue;
    ns3::Ptr<DeliveryRecorder> m_recorder;
    uint32_t m_servedUe{0};
    uint16_t m_port{0};
    ns3::Ptr<ns3::Socket> m_socket;

    bool m_hasStep{false};
    Phase m_phase{Phase::COLLECTING};
    FragmentHeader m_step; ///< header of the step's first fragment
    ns3::Address m_ue;
    FecGroups m_groups;
    std::vector<bool> m_seen;             ///< packets of the step that have come
    std::vector<bool> m_there;            ///< fragments of the step that have come or are recovered
    std::vector<uint32_t> m_groupMissing; ///< packets that each group needs yet
    uint32_t m_missing{0};                ///< fragments, not parity
    int m_answeredAttempt{-1};
    ns3::EventId m_reassemblyTimeout;
};

} // namespace splitsim

#endif // SPLITSIM_SPLIT_INFERENCE_EDGE_H
