/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_DELIVERY_RECORD_H
#define SPLITSIM_DELIVERY_RECORD_H

#include "ns3/nstime.h"
#include "ns3/object.h"

#include <cstdint>
#include <string>
#include <vector>

namespace splitsim
{

/** What became of a fragment. The numbers are the wire's. */
enum class Outcome : uint8_t
{
    DELIVERED = 0,     ///< arrived before the edge began to compute its step
    LOST_RADIO = 1,    ///< given up by the radio (retry limit, no association)
    DROPPED_QUEUE = 2, ///< refused by or expired in a queue
    LATE = 3,          ///< arrived after its step began, or still under way when the request ended
    NOT_SENT = 4,      ///< the request ended, or its step was answered, before it was sent
    RECOVERED = 5,     ///< did not come before its step began, but was computed from parity
};

/** Everything that is known of one request once it is over. */
struct DeliveryRecord
{
    uint32_t request{0};
    uint32_t action{0};
    uint32_t split{0};
    uint32_t codec{0};
    uint32_t promptTokens{0};
    uint32_t outputTokens{0};
    uint32_t generatedTokens{0};
    uint32_t fragmentsPerToken{0};
    bool failed{false};
    std::string failReason;
    double arrivalS{0};
    double latencyS{0};            ///< to the last token; the deadline when failed
    std::vector<uint8_t> outcome;  ///< [(P+N-1)*F] token-major, Outcome; empty when all is local
    std::vector<float> delayS;     ///< [(P+N-1)*F] one way; NaN where nothing arrived
    std::vector<uint8_t> attempts; ///< [N] sendings of each step beyond the first
    std::vector<float>
        tokenTimeS; ///< [N] since the arrival, when the UE had the token; NaN if never
    std::vector<uint8_t> downlinkOutcome; ///< [N] Outcome of each step's reply
    uint64_t uplinkPackets{0};
    uint64_t uplinkBytes{0}; ///< UDP payload
    uint64_t downlinkBytes{0};
    double ueComputeS{0};
    double edgeComputeS{0};
    double edgeQueueS{0};
    double ueComputeEnergyJ{0};
    double ueRadioEnergyJ{0}; ///< above idle, over the window of one deadline

    /**
     * @return share of the fragments that the edge did without, of all fragments of the steps that the
     *         UE began to send; 0 when it began none
     */
    double Loss() const;
};

/**
 * Keeps the record of the request under way: the applications and the stack's drop traces report to
 * it. A fragment that was sent more than once keeps the best that happened to any copy, in the
 * order delivered, recovered, late, dropped.
 */
class DeliveryRecorder : public ns3::Object
{
  public:
    static ns3::TypeId GetTypeId();
    DeliveryRecorder();

    /**
     * @param inOrder whether packets can't overtake each other: then a fragment that a later one
     *        (parity aside) overtook, of which the stack said nothing, was lost in the radio and isn't
     *        late
     */
    void SetInOrder(bool inOrder);

    /** @param record with sizes, split and times filled in; becomes the current one */
    void Begin(DeliveryRecord record);
    /** @return the request under way, or the last one */
    DeliveryRecord& Current();
    const DeliveryRecord& Current() const;
    /** @return whether that request is still running */
    bool IsOpen() const;
    /**
     * Ends the request. Fragments still under way become late.
     *
     * @param failReason empty when all tokens were generated
     * @param latencyS time to the last token, the deadline for a failed request
     */
    void End(const std::string& failReason, double latencyS);

    /** @param index row of the record, of a fragment about to be handed to the stack, one sending more */
    void NoteSent(uint32_t index);
    /**
     * @param index row
     * @param attempt which sending of it arrived, from 0
     * @param inTime whether its step had not begun
     */
    void NoteArrived(uint32_t index, uint8_t attempt, bool inTime);
    /** @param index row of a fragment that the edge has computed from parity, before its step began */
    void NoteRecovered(uint32_t index);
    /** @param request whose @param index row @param downlink direction @param cause of the drop */
    void NoteDropped(uint32_t request, uint32_t index, bool downlink, Outcome cause);
    /** @param step whose token id was just sent to the UE */
    void NoteReplySent(uint32_t step);
    /** @param step whose token id reached the UE */
    void NoteToken(uint32_t step);

  private:
    /// Marks of a row before the request ends.
    static constexpr uint8_t UNDER_WAY = 254;
    void Improve(uint8_t& outcome, Outcome news) const;
    /** @param index row of what the edge has got now @param sentAt when @param news what it is */
    void NoteGot(uint32_t index, ns3::Time sentAt, Outcome news);
    Outcome OfUnreported(uint32_t index) const;

    DeliveryRecord m_record;
    bool m_open{false};
    bool m_inOrder{false};
    ns3::Time m_overtaken; ///< when the fragment was sent that arrived and was sent last
    std::vector<std::vector<ns3::Time>> m_sentAt; ///< [row][attempt]
};

} // namespace splitsim

#endif // SPLITSIM_DELIVERY_RECORD_H
