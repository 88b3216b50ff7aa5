/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "environment.h"

#include "block-fading-loss-model.h"

namespace splitsim
{

using namespace ns3;

namespace
{

void
Append(Ptr<PropagationLossModel> chain, Ptr<PropagationLossModel> last)
{
    while (chain->GetNext())
    {
        chain = chain->GetNext();
    }
    chain->SetNext(last);
}

} // namespace

FadingConfig
ReadFading(const Section& section)
{
    FadingConfig fading;
    fading.model = section.ReadName("model", {"none", "nakagami-block"});
    section.Read("nakagami_m", fading.nakagamiM);
    section.Require(fading.nakagamiM >= 0.5, "nakagami_m", "0.5 or more");
    section.Read("coherence_time_s", fading.coherenceTimeS);
    section.Require(fading.coherenceTimeS > 0, "coherence_time_s", "greater than 0");
    return fading;
}

void
AddEnvironment(Ptr<PropagationLossModel> /* pathLoss */, const LinkContext& /* context */)
{
}

void
AddFading(Ptr<PropagationLossModel> chain, const FadingConfig& fading, uint64_t seed)
{
    if (fading.model == "nakagami-block")
    {
        auto model = CreateObject<BlockFadingLossModel>();
        model->Configure(seed, fading.nakagamiM, fading.coherenceTimeS);
        Append(chain, model);
    }
}

} // namespace splitsim
