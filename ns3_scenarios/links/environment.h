/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_ENVIRONMENT_H
#define SPLITSIM_ENVIRONMENT_H

#include "link.h"

#include "ns3/propagation-loss-model.h"

namespace splitsim
{

/** Small-scale fading of a link; `model` says which of the fields count. */
struct FadingConfig
{
    std::string model;        ///< none or nakagami-block
    double nakagamiM{1};      ///< 1 is Rayleigh
    double coherenceTimeS{1}; ///< length of a block
};

/** @param section a link's `fading`. @return it @throws ConfigError for a field that isn't valid */
FadingConfig ReadFading(const Section& section);

/**
 * Puts what stands in the way behind a path loss: everything of the scenario's `environment`.
 *
 * All of it is a pure function of seed, place and time, never of how often it was asked.
 *
 * @param pathLoss the first model of the chain
 * @param context for which episode
 */
void AddEnvironment(ns3::Ptr<ns3::PropagationLossModel> pathLoss, const LinkContext& context);

/**
 * @param chain the first model of a chain, gets the fading at its end
 * @param fading which
 * @param seed of the episode
 */
void AddFading(ns3::Ptr<ns3::PropagationLossModel> chain,
               const FadingConfig& fading,
               uint64_t seed);

} // namespace splitsim

#endif // SPLITSIM_ENVIRONMENT_H
