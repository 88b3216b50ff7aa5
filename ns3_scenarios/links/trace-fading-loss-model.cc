/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "trace-fading-loss-model.h"

#include "../scenario/config-section.h"
#include "../scenario/exogenous.h"

#include "ns3/mobility-model.h"
#include "ns3/node.h"
#include "ns3/pointer.h"
#include "ns3/simulator.h"
#include "ns3/spectrum-signal-parameters.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(FadingTrace);
NS_OBJECT_ENSURE_REGISTERED(LteTraceFadingLossModel);

namespace
{

/// Family of counter-based numbers, as block fading's: one stream for each link.
constexpr uint64_t TRACE_STREAM = 2000;

} // namespace

TypeId
FadingTrace::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::FadingTrace")
                            .SetParent<Object>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<FadingTrace>();
    return tid;
}

FadingTrace::FadingTrace() = default;

void
FadingTrace::Load(const std::string& path, uint32_t resourceBlocks, double stepS, uint64_t seed)
{
    m_seed = seed;
    m_stepS = stepS;
    m_gains.clear();
    std::ifstream file(path);
    std::string line;
    uint32_t row = 0;
    while (std::getline(file, line))
    {
        std::istringstream values(line);
        std::size_t column = 0;
        for (double gainDb = 0; values >> gainDb; column++)
        {
            if (row == 0)
            {
                m_gains.emplace_back(resourceBlocks);
            }
            if (row < resourceBlocks && column < m_gains.size())
            {
                m_gains[column][row] = static_cast<float>(std::pow(10, gainDb / 10));
            }
        }
        row++;
        if (!values.eof() || column != m_gains.size())
        {
            throw ConfigError(path + ":" + std::to_string(row) +
                              ": not as many numbers as in the first row");
        }
    }
    if (row != resourceBlocks || m_gains.empty())
    {
        throw ConfigError(path + ": " + std::to_string(row) + " rows of fading, expected " +
                          std::to_string(resourceBlocks));
    }
}

const std::vector<float>&
FadingTrace::GetGains(uint32_t nodeA, uint32_t nodeB, double timeS) const
{
    // Each link begins somewhere, and somewhere else whenever it has run through the whole trace.
    const auto [low, high] = std::minmax(nodeA, nodeB);
    const CounterRandom random(m_seed, TRACE_STREAM + ((static_cast<uint64_t>(low) << 32) | high));
    const auto now = static_cast<uint64_t>(timeS / m_stepS);
    const uint64_t begin = random.Bits(now / m_gains.size());
    return m_gains[(begin % m_gains.size() + now) % m_gains.size()];
}

TypeId
LteTraceFadingLossModel::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::LteTraceFadingLossModel")
                            .SetParent<SpectrumPropagationLossModel>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<LteTraceFadingLossModel>()
                            .AddAttribute("Trace",
                                          "The gains.",
                                          PointerValue(),
                                          MakePointerAccessor(&LteTraceFadingLossModel::m_trace),
                                          MakePointerChecker<FadingTrace>());
    return tid;
}

LteTraceFadingLossModel::LteTraceFadingLossModel() = default;

Ptr<SpectrumValue>
LteTraceFadingLossModel::DoCalcRxPowerSpectralDensity(Ptr<const SpectrumSignalParameters> params,
                                                      Ptr<const MobilityModel> a,
                                                      Ptr<const MobilityModel> b) const
{
    const auto& gains = m_trace->GetGains(a->GetObject<Node>()->GetId(),
                                          b->GetObject<Node>()->GetId(),
                                          Simulator::Now().GetSeconds());
    auto received = params->psd->Copy();
    auto gain = gains.begin();
    for (auto power = received->ValuesBegin(); power != received->ValuesEnd(); ++power, ++gain)
    {
        *power *= *gain;
    }
    return received;
}

#if SPLITSIM_NS3_MINOR >= 38
int64_t
LteTraceFadingLossModel::DoAssignStreams(int64_t /* stream */)
{
    return 0; // nothing is drawn from ns-3's streams
}
#endif

} // namespace splitsim
