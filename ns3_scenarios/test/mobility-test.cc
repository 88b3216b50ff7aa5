/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "../mobility/mobility-builder.h"
#include "../mobility/track-mobility-model.h"

#include "ns3/mobility-model.h"
#include "ns3/node.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/test.h"

#include <functional>
#include <string>
#include <vector>

using namespace ns3;
using splitsim::AtEnd;
using splitsim::MobilityConfig;
using splitsim::Track;
using splitsim::TrackMobilityModel;

namespace
{

/** 10 m along x in 5 s, a wait of 5 s, 20 m along y in 10 s; begins at 10 s. */
Track
Corner(bool stays)
{
    return {{{10, {0, 0, 1}}, {15, {10, 0, 1}}, {20, {10, 0, 1}}, {30, {10, 20, 1}}}, stays};
}

} // namespace

/** Places and speeds of a track at chosen times, against hand-made ones. */
class TrackTestCase : public TestCase
{
  public:
    TrackTestCase()
        : TestCase("a track goes through its points")
    {
    }

  private:
    void Expect(double timeS, double xM, double yM, double speedMps)
    {
        Simulator::Schedule(Seconds(timeS), [this, timeS, xM, yM, speedMps] {
            const auto place = m_model->GetPosition();
            NS_TEST_EXPECT_MSG_EQ_TOL(place.x, xM, 1e-9, "x at " << timeS);
            NS_TEST_EXPECT_MSG_EQ_TOL(place.y, yM, 1e-9, "y at " << timeS);
            NS_TEST_EXPECT_MSG_EQ_TOL(m_model->GetVelocity().GetLength(),
                                      speedMps,
                                      1e-9,
                                      "speed at " << timeS);
        });
    }

    void Follow(const Track& track, double offsetS, AtEnd atEnd, std::function<void()> expect)
    {
        m_model = CreateObject<TrackMobilityModel>();
        m_model->Configure(track, offsetS, atEnd);
        expect();
        Simulator::Run();
        Simulator::Destroy();
    }

    void DoRun() override
    {
        Follow(Corner(true), 0, AtEnd::STAY, [this] {
            Expect(0, 0, 0, 0);
            Expect(12.5, 5, 0, 2);
            Expect(17, 10, 0, 0);
            Expect(25, 10, 10, 2);
            Expect(99, 10, 20, 0);
        });
        // The seed may put time 0 into the middle.
        Follow(Corner(true), 12.5, AtEnd::STAY, [this] { Expect(0, 5, 0, 2); });
        // A round takes 20 s; the second one begins at the first point at once.
        Follow(Corner(true), 10, AtEnd::LOOP, [this] {
            Expect(22.5, 5, 0, 2);
            Expect(35, 10, 10, 2);
        });
        // The way back ends where it began, and so on.
        Follow(Corner(true), 10, AtEnd::RETURN, [this] {
            Expect(25, 10, 10, 2);
            Expect(37.5, 5, 0, 2);
            Expect(42.5, 5, 0, 2);
        });
        Follow(Corner(false), 0, AtEnd::LEAVE, [this] {
            for (const auto& [timeS, there] : std::vector<std::pair<double, bool>>{{9, false},
                                                                                   {11, true},
                                                                                   {29, true},
                                                                                   {31, false}})
            {
                Simulator::Schedule(Seconds(timeS), [this, timeS = timeS, there = there] {
                    NS_TEST_EXPECT_MSG_EQ(m_model->IsPresent(), there, "at " << timeS);
                    const bool near = m_model->GetPosition().GetLength() < 1000;
                    NS_TEST_EXPECT_MSG_EQ(near, there, "within reach at " << timeS);
                });
            }
        });
    }

    Ptr<TrackMobilityModel> m_model;
};

/** The random models stay in their area, follow the seed, and move. */
class RandomTestCase : public TestCase
{
  public:
    RandomTestCase()
        : TestCase("random models stay in their area and follow the seed")
    {
    }

  private:
    using Path = std::vector<Vector>;

    Path Walk(const std::string& name, uint32_t seed)
    {
        MobilityConfig config;
        config.model = name;
        config.areaXM = {-10, 30};
        config.areaYM = {5, 20};
        config.heightM = 1.5;
        config.speedMps = {1, 2};
        config.pauseS = {0, 1};
        RngSeedManager::SetRun(seed);
        auto node = CreateObject<Node>();
        splitsim::InstallMobility(config, node, {seed, 0, 0, 0});
        Path path;
        for (int i = 0; i < 300; i++)
        {
            Simulator::Schedule(Seconds(i), [&path, node] {
                path.push_back(node->GetObject<MobilityModel>()->GetPosition());
            });
        }
        Simulator::Stop(Seconds(300));
        Simulator::Run();
        Simulator::Destroy();
        return path;
    }

    static double Length(const Path& path)
    {
        double lengthM = 0;
        for (std::size_t i = 1; i < path.size(); i++)
        {
            lengthM += CalculateDistance(path[i - 1], path[i]);
        }
        return lengthM;
    }

    void DoRun() override
    {
        for (const std::string name : {"random-waypoint", "random-walk", "gauss-markov", "scatter"})
        {
            const auto path = Walk(name, 3);
            for (const auto& place : path)
            {
                const bool inside =
                    place.x >= -10 && place.x <= 30 && place.y >= 5 && place.y <= 20;
                NS_TEST_ASSERT_MSG_EQ(inside, true, name << " left at " << place);
                NS_TEST_ASSERT_MSG_EQ_TOL(place.z, 1.5, 1e-9, name << " stays on the ground");
            }
            NS_TEST_EXPECT_MSG_EQ((Length(path) > 50), (name != "scatter"), name << " moves");
            NS_TEST_EXPECT_MSG_EQ((Length(path) <= 2.001 * 300),
                                  true,
                                  name << " keeps to its speed");
            NS_TEST_EXPECT_MSG_EQ((path == Walk(name, 3)), true, name << " repeats");
            NS_TEST_EXPECT_MSG_EQ((path == Walk(name, 4)), false, name << " follows the seed");
        }
    }
};

class MobilityTestSuite : public TestSuite
{
  public:
    MobilityTestSuite()
        : TestSuite("splitsim-mobility")
    {
        AddTestCase(new TrackTestCase);
        AddTestCase(new RandomTestCase);
    }
};

static MobilityTestSuite g_mobilityTestSuite;
