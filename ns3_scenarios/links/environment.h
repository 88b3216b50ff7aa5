/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_ENVIRONMENT_H
#define SPLITSIM_ENVIRONMENT_H

#include "link.h"
#include "obstacle-loss-model.h"
#include "zone-loss-model.h"

#include "ns3/building.h"
#include "ns3/propagation-loss-model.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace splitsim
{

/** The scenario's `environment`, built: what stands or moves between sites and UEs. */
struct Environment
{
    double shadowingStdDb{0}; ///< 0 for none
    double decorrelationM{1}; ///< of the shadowing
    std::vector<ns3::Ptr<ns3::Building>> buildings;
    std::vector<Zone> zones;
    std::vector<Obstacle> obstacles;
};

/// First stream of the obstacles' motion, behind those of the UEs.
constexpr int64_t OBSTACLE_STREAM = 50000;

/**
 * Builds the environment, once for a world; obstacles move as the seed alone says.
 *
 * @param section the scenario's `environment`
 * @param seed of the episode
 * @param stream first stream of ns-3's random numbers for the obstacles' motion
 * @return it @throws ConfigError for a field that isn't valid
 */
std::shared_ptr<const Environment> MakeEnvironment(const Section& section,
                                                   uint64_t seed,
                                                   int64_t stream = OBSTACLE_STREAM);

/**
 * Puts what stands in the way behind a path loss: everything of the scenario's `environment`.
 *
 * All of it is a pure function of seed, place and time, never of how often it was asked.
 *
 * @param pathLoss the first model of the chain
 * @param context for which episode
 */
void AddEnvironment(ns3::Ptr<ns3::PropagationLossModel> pathLoss, const LinkContext& context);

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
 * @param chain the first model of a chain, gets the fading at its end
 * @param fading which
 * @param seed of the episode
 */
void AddFading(ns3::Ptr<ns3::PropagationLossModel> chain,
               const FadingConfig& fading,
               uint64_t seed);

} // namespace splitsim

#endif // SPLITSIM_ENVIRONMENT_H
