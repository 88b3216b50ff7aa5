/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_TRACE_FADING_LOSS_MODEL_H
#define SPLITSIM_TRACE_FADING_LOSS_MODEL_H

#include "ns3/object.h"
#include "ns3/spectrum-propagation-loss-model.h"

#include <cstdint>
#include <string>
#include <vector>

namespace splitsim
{

/** Gains over time of each resource block, and where in them each link stands when. */
class FadingTrace : public ns3::Object
{
  public:
    static ns3::TypeId GetTypeId();
    FadingTrace();

    /**
     * @param path a file in the form of ns3::TraceFadingLossModel: a row of dB values for each
     *        resource block
     * @param resourceBlocks how many rows it must have
     * @param stepS seconds between samples
     * @param seed of the episode
     * @throws ConfigError when the file can't be read or has other rows
     */
    void Load(const std::string& path, uint32_t resourceBlocks, double stepS, uint64_t seed);

    /**
     * @param nodeA one end's node id @param nodeB the other end's: links are reciprocal
     * @param timeS when
     * @return the linear power gains of all resource blocks: a pure function of (seed, link, time)
     */
    const std::vector<float>& GetGains(uint32_t nodeA, uint32_t nodeB, double timeS) const;

  private:
    uint64_t m_seed{0};
    double m_stepS{0};
    std::vector<std::vector<float>> m_gains; ///< [sample][resource block]
};

/**
 * Frequency-selective fading from a trace.
 *
 * In place of ns3::TraceFadingLossModel: there a link's place in the trace is drawn anew by the first
 * signal after a window is over, so that it depends on what the agent sends, and it is another one in
 * each direction.
 */
class LteTraceFadingLossModel : public ns3::SpectrumPropagationLossModel
{
  public:
    static ns3::TypeId GetTypeId();
    LteTraceFadingLossModel();

  private:
    ns3::Ptr<ns3::SpectrumValue> DoCalcRxPowerSpectralDensity(
        ns3::Ptr<const ns3::SpectrumSignalParameters> params,
        ns3::Ptr<const ns3::MobilityModel> a,
        ns3::Ptr<const ns3::MobilityModel> b) const override;
#if SPLITSIM_NS3_MINOR >= 38
    int64_t DoAssignStreams(int64_t stream) override;
#endif

    ns3::Ptr<FadingTrace> m_trace;
};

} // namespace splitsim

#endif // SPLITSIM_TRACE_FADING_LOSS_MODEL_H
