/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "delivery-record.h"

#include "ns3/simulator.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(DeliveryRecorder);

namespace
{

constexpr auto NOT_A_TIME = std::numeric_limits<float>::quiet_NaN();

bool
IsThere(uint8_t outcome)
{
    return outcome == static_cast<uint8_t>(Outcome::DELIVERED) ||
           outcome == static_cast<uint8_t>(Outcome::RECOVERED);
}

/// How good an outcome is; of copies of a fragment the best counts.
int
Rank(uint8_t outcome)
{
    switch (static_cast<Outcome>(outcome))
    {
    case Outcome::DELIVERED:
        return 3;
    case Outcome::RECOVERED:
        return 2;
    case Outcome::LATE:
        return 1;
    default:
        return 0;
    }
}

} // namespace

double
DeliveryRecord::Loss() const
{
    const auto notSent = static_cast<uint8_t>(Outcome::NOT_SENT);
    std::size_t begun = 0;
    std::size_t missing = 0;
    std::size_t first = 0;
    while (first < outcome.size())
    {
        const std::size_t rows = (first == 0 ? promptTokens : 1) * fragmentsPerToken;
        const auto from = outcome.begin() + first;
        const auto to = from + rows;
        if (std::any_of(from, to, [=](uint8_t o) { return o != notSent; }))
        {
            begun += rows;
            missing += rows - std::count_if(from, to, IsThere);
        }
        first += rows;
    }
    return begun ? double(missing) / begun : 0.0;
}

TypeId
DeliveryRecorder::GetTypeId()
{
    static TypeId tid =
        TypeId("splitsim::DeliveryRecorder").SetParent<Object>().SetGroupName("Splitsim");
    return tid;
}

DeliveryRecorder::DeliveryRecorder() = default;

void
DeliveryRecorder::SetInOrder(bool inOrder)
{
    m_inOrder = inOrder;
}

void
DeliveryRecorder::Begin(DeliveryRecord record)
{
    const std::size_t tokens = record.promptTokens + record.outputTokens - 1;
    const std::size_t rows = tokens * record.fragmentsPerToken;
    const auto notSent = static_cast<uint8_t>(Outcome::NOT_SENT);
    record.outcome.assign(rows, notSent);
    record.delayS.assign(rows, NOT_A_TIME);
    record.attempts.assign(record.outputTokens, 0);
    record.tokenTimeS.assign(record.outputTokens, NOT_A_TIME);
    record.downlinkOutcome.assign(record.outputTokens, notSent);
    m_sentAt.assign(rows, {});
    m_overtaken = Time(0);
    m_record = std::move(record);
    m_open = true;
}

DeliveryRecord&
DeliveryRecorder::Current()
{
    return m_record;
}

const DeliveryRecord&
DeliveryRecorder::Current() const
{
    return m_record;
}

bool
DeliveryRecorder::IsOpen() const
{
    return m_open;
}

void
DeliveryRecorder::End(const std::string& failReason, double latencyS)
{
    m_open = false;
    m_record.failed = !failReason.empty();
    m_record.failReason = failReason;
    m_record.latencyS = latencyS;
    for (uint32_t i = 0; i < m_record.outcome.size(); i++)
    {
        if (m_record.outcome[i] == UNDER_WAY)
        {
            m_record.outcome[i] = static_cast<uint8_t>(OfUnreported(i));
        }
    }
    for (auto& outcome : m_record.downlinkOutcome)
    {
        if (outcome == UNDER_WAY)
        {
            outcome = static_cast<uint8_t>(Outcome::LATE);
        }
    }
}

Outcome
DeliveryRecorder::OfUnreported(uint32_t index) const
{
    return m_inOrder && m_sentAt[index].back() < m_overtaken ? Outcome::LOST_RADIO : Outcome::LATE;
}

void
DeliveryRecorder::NoteSent(uint32_t index)
{
    m_sentAt[index].push_back(Simulator::Now());
    auto& outcome = m_record.outcome[index];
    if (Rank(outcome) == 0)
    {
        outcome = UNDER_WAY;
    }
}

void
DeliveryRecorder::Improve(uint8_t& outcome, Outcome news) const
{
    const auto better = static_cast<uint8_t>(news);
    if (Rank(better) >= Rank(outcome))
    {
        outcome = better;
    }
}

void
DeliveryRecorder::NoteArrived(uint32_t index, uint8_t attempt, bool inTime)
{
    if (!m_open || index >= m_record.outcome.size() || attempt >= m_sentAt[index].size())
    {
        return;
    }
    m_overtaken = std::max(m_overtaken, m_sentAt[index][attempt]);
    NoteGot(index, m_sentAt[index][attempt], inTime ? Outcome::DELIVERED : Outcome::LATE);
}

void
DeliveryRecorder::NoteRecovered(uint32_t index)
{
    if (!m_open || index >= m_record.outcome.size() || m_sentAt[index].empty())
    {
        return;
    }
    NoteGot(index, m_sentAt[index].back(), Outcome::RECOVERED);
}

void
DeliveryRecorder::NoteGot(uint32_t index, Time sentAt, Outcome news)
{
    auto& outcome = m_record.outcome[index];
    if (!IsThere(outcome))
    {
        m_record.delayS[index] = static_cast<float>((Simulator::Now() - sentAt).GetSeconds());
    }
    Improve(outcome, news);
}

void
DeliveryRecorder::NoteDropped(uint32_t request, uint32_t index, bool downlink, Outcome cause)
{
    if (!m_open || request != m_record.request)
    {
        return;
    }
    auto& rows = downlink ? m_record.downlinkOutcome : m_record.outcome;
    if (index < rows.size())
    {
        Improve(rows[index], cause);
    }
}

void
DeliveryRecorder::NoteReplySent(uint32_t step)
{
    auto& outcome = m_record.downlinkOutcome[step];
    if (outcome != static_cast<uint8_t>(Outcome::DELIVERED))
    {
        outcome = UNDER_WAY;
    }
}

void
DeliveryRecorder::NoteToken(uint32_t step)
{
    if (!m_open || step >= m_record.tokenTimeS.size())
    {
        return;
    }
    if (m_record.fragmentsPerToken > 0)
    {
        m_record.downlinkOutcome[step] = static_cast<uint8_t>(Outcome::DELIVERED);
    }
    m_record.tokenTimeS[step] =
        static_cast<float>(Simulator::Now().GetSeconds() - m_record.arrivalS);
    m_record.generatedTokens = step + 1;
}

} // namespace splitsim
