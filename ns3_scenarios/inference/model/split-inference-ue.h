/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_SPLIT_INFERENCE_UE_H
#define SPLITSIM_SPLIT_INFERENCE_UE_H

#include "../../scenario/exogenous.h"
#include "../../scenario/scenario-config.h"
#include "delivery-record.h"
#include "fragment.h"

#include "ns3/application.h"
#include "ns3/event-id.h"
#include "ns3/ipv4-address.h"
#include "ns3/socket.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace splitsim
{

/** Fragments that the device's queue holds now. */
using QueueDepth = std::function<uint32_t()>;

/**
 * The UE's half of split inference: computes the first `split` blocks, sends the activations in
 * fragments as fast as its device queue has room, waits for the token id, and so on for every
 * token.
 *
 * A step without an answer is sent again, whole, when the edge's reassembly timeout and the retry
 * timeout have passed since its last fragment was handed to the device, at most `maxRetries` times;
 * then the request fails.
 */
class SplitInferenceUe : public ns3::Application
{
  public:
    static ns3::TypeId GetTypeId();
    SplitInferenceUe();

    /**
     * @param transport timeouts, retries, window
     * @param compute the deployed model and this UE's speed
     * @param recorder gets everything that happens
     * @param ue index of this UE
     * @param edgeAddress where the edge listens
     * @param edgePort its UDP port
     * @param queueDepth reads the device queue
     */
    void Configure(const TransportConfig& transport,
                   const ComputeConfig& compute,
                   ns3::Ptr<DeliveryRecorder> recorder,
                   uint32_t ue,
                   ns3::Ipv4Address edgeAddress,
                   uint16_t edgePort,
                   QueueDepth queueDepth);

    /**
     * Start a request now. The one before must be over.
     *
     * @param index number of the request in the episode
     * @param request its size
     * @param action the action index, for the record
     * @param split blocks on the UE
     * @param codecIndex, for the record
     * @param codec bytes of each fragment of a token
     * @param deadlineS when the request is cut, in seconds from now
     */
    void StartRequest(uint32_t index,
                      const Request& request,
                      uint32_t action,
                      uint32_t split,
                      uint32_t codecIndex,
                      const CodecConfig& codec,
                      double deadlineS);

    /** The device queue has room again. */
    void NotifyRoom();

  private:
    void StartApplication() override;
    void StopApplication() override;

    void BeginStep(uint32_t step);
    void FinishCompute();
    void CountCompute();
    void CancelEvents();
    void SendStep();
    void SendMore();
    void SendFragment(uint32_t fragment);
    uint32_t DataBytes(uint32_t fragment) const;
    /** @param fragment number of a parity packet. @return as many bytes as its group's longest */
    uint32_t ParityBytes(uint32_t fragment) const;
    void HandleRead(ns3::Ptr<ns3::Socket> socket);
    void HandleToken(uint32_t step);
    void HandleSilence();
    void Finish(const std::string& failReason);
    ns3::Time ComputeTime(uint32_t step) const;
    bool AllLocal() const;

    TransportConfig m_transport;
    ComputeConfig m_compute;
    ns3::Ptr<DeliveryRecorder> m_recorder;
    uint32_t m_ue{0};
    ns3::Ipv4Address m_edgeAddress;
    uint16_t m_edgePort{0};
    QueueDepth m_queueDepth;
    ns3::Ptr<ns3::Socket> m_socket;

    CodecConfig m_codec;
    double m_deadlineS{0};
    uint32_t m_step{0};
    uint32_t m_stepFragments{0};
    std::vector<uint32_t> m_order; ///< the step's packets as they are sent, parity among them
    uint32_t m_next{0};            ///< next of them
    uint8_t m_attempt{0};
    bool m_sending{false};
    ns3::Time m_computeStart;
    ns3::EventId m_computeDone;
    ns3::EventId m_retry;
    ns3::EventId m_deadline;
    ns3::EventId m_room;
};

} // namespace splitsim

#endif // SPLITSIM_SPLIT_INFERENCE_UE_H
