/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "../links/building-loss-model.h"
#include "../links/environment.h"
#include "../links/shadowing-loss-model.h"

#include "ns3/constant-position-mobility-model.h"
#include "ns3/constant-velocity-mobility-model.h"
#include "ns3/node.h"
#include "ns3/simulator.h"
#include "ns3/test.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using namespace ns3;
using nlohmann::json;
using splitsim::BuildingLossModel;
using splitsim::ConfigError;
using splitsim::Obstacle;
using splitsim::ObstacleLossModel;
using splitsim::Section;
using splitsim::ShadowingLossModel;
using splitsim::ZoneLossModel;

namespace
{

Ptr<MobilityModel>
At(const Vector& position)
{
    auto mobility = CreateObject<ConstantPositionMobilityModel>();
    mobility->SetPosition(position);
    return mobility;
}

Ptr<Node>
NodeAt(const Vector& position)
{
    auto node = CreateObject<Node>();
    node->AggregateObject(At(position));
    return node;
}

/** 20 m x 10 m x 6 m with 4 x 2 rooms on 2 floors: rooms of 5 m x 5 m x 3 m. */
Ptr<Building>
House(Building::ExtWallsType_t walls, Building::BuildingType_t type = Building::Office)
{
    auto building = CreateObject<Building>();
    building->SetBoundaries(Box(0, 20, 0, 10, 0, 6));
    building->SetExtWallsType(walls);
    building->SetBuildingType(type);
    building->SetNRoomsX(4);
    building->SetNRoomsY(2);
    building->SetNFloors(2);
    return building;
}

} // namespace

/** Walls and floors counted by hand. */
class BuildingTestCase : public TestCase
{
  public:
    BuildingTestCase()
        : TestCase("walls and floors that a line goes through")
    {
    }

  private:
    struct Line
    {
        std::string what;
        Vector a;
        Vector b;
        double lossDb;
    };

    void DoRun() override
    {
        // Outer walls of concrete with windows 7 dB, inner ones 5 dB, a floor of an office 15 dB.
        const std::vector<Line> lines{
            {"past it", {-5, -1, 1}, {25, -1, 1}, 0},
            {"over it", {-5, 5, 7}, {25, 5, 7}, 0},
            {"away from it", {-5, 2, 1}, {-1, 2, 1}, 0},
            {"up to it, not into it", {-5, 2, 1}, {-0.001, 2, 1}, 0},
            {"within one room", {1, 1, 1}, {4, 4, 2}, 0},
            {"into the first room", {-5, 2, 1}, {2, 2, 1}, 7},
            {"into the third room along x", {-5, 2, 1}, {12, 2, 1}, 7 + 2 * 5},
            {"into the next room along y", {2, -5, 1}, {2, 7, 1}, 7 + 5},
            {"across all rooms along x", {-5, 2, 1}, {25, 2, 1}, 2 * 7 + 3 * 5},
            // Enters at (0, 2) in room 1, 1 and leaves at (20, 7) in room 4, 2.
            {"aslant", {-4, 1, 1}, {24, 8, 1}, 2 * 7 + (3 + 1) * 5},
            {"between floors", {2, 2, 1}, {2, 2, 4}, 15},
            {"through the roof", {2, 2, 10}, {2, 2, 4}, 7},
            {"through the roof to the ground floor", {2, 2, 10}, {2, 2, 1}, 7 + 15},
            {"rooms within", {1, 1, 1}, {19, 9, 1}, (3 + 1) * 5},
        };
        const auto house = House(Building::ConcreteWithWindows);
        for (const auto& line : lines)
        {
            const double thereDb = BuildingLossModel::GetBuildingLossDb(*house, line.a, line.b);
            const double backDb = BuildingLossModel::GetBuildingLossDb(*house, line.b, line.a);
            NS_TEST_EXPECT_MSG_EQ(thereDb, line.lossDb, line.what);
            NS_TEST_EXPECT_MSG_EQ(backDb, line.lossDb, line.what << ", the other way");
        }
        const std::vector<std::pair<Building::ExtWallsType_t, double>> walls{
            {Building::Wood, 4},
            {Building::ConcreteWithWindows, 7},
            {Building::ConcreteWithoutWindows, 15},
            {Building::StoneBlocks, 12}};
        for (const auto& [wall, lossDb] : walls)
        {
            NS_TEST_EXPECT_MSG_EQ(
                BuildingLossModel::GetBuildingLossDb(*House(wall), {-5, 2, 1}, {2, 2, 1}),
                lossDb,
                "outer wall");
        }
        const std::vector<std::pair<Building::BuildingType_t, double>> floors{
            {Building::Residential, 8},
            {Building::Office, 19},
            {Building::Commercial, 9}};
        for (const auto& [type, lossDb] : floors)
        {
            const auto tower = House(Building::Wood, type);
            tower->SetNFloors(3);
            NS_TEST_EXPECT_MSG_EQ(
                BuildingLossModel::GetBuildingLossDb(*tower, {2, 2, 1}, {2, 2, 5}),
                lossDb,
                "two floors");
        }
    }
};

/** A model of two buildings adds them up; an excess loss comes off the power. */
class ChainTestCase : public TestCase
{
  public:
    ChainTestCase()
        : TestCase("losses add up and come off the received power")
    {
    }

  private:
    void DoRun() override
    {
        const auto first = House(Building::Wood);
        const auto second = House(Building::StoneBlocks);
        second->SetBoundaries(Box(30, 50, 0, 10, 0, 6));
        auto walls = CreateObject<BuildingLossModel>();
        walls->Configure({first, second});
        const auto a = At({-5, 2, 1});
        const auto b = At({32, 2, 1});
        NS_TEST_EXPECT_MSG_EQ(walls->GetLossDb(a, b), 2 * 4 + 3 * 5 + 12, "both buildings");
        NS_TEST_EXPECT_MSG_EQ_TOL(walls->CalcRxPower(16, a, b), 16 - 35, 1e-12, "power");
    }
};

/** A zone costs where exactly one end is inside. */
class ZoneTestCase : public TestCase
{
  public:
    ZoneTestCase()
        : TestCase("zones")
    {
    }

  private:
    void DoRun() override
    {
        const double all = std::numeric_limits<double>::infinity();
        auto zones = CreateObject<ZoneLossModel>();
        zones->Configure({{Box(0, 10, 0, 10, -all, all), 20}, {Box(4, 6, 4, 6, 0, 3), 7}});
        const auto outside = At({-1, 5, 1});
        const auto inside = At({2, 5, 100});
        const auto nested = At({5, 5, 1});
        NS_TEST_EXPECT_MSG_EQ(zones->GetLossDb(outside, inside), 20, "into a zone");
        NS_TEST_EXPECT_MSG_EQ(zones->GetLossDb(inside, outside), 20, "out of it");
        NS_TEST_EXPECT_MSG_EQ(zones->GetLossDb(outside, nested), 27, "into both");
        NS_TEST_EXPECT_MSG_EQ(zones->GetLossDb(inside, nested), 7, "within the outer one");
        NS_TEST_EXPECT_MSG_EQ(zones->GetLossDb(inside, inside), 0, "within one");
        NS_TEST_EXPECT_MSG_EQ(zones->GetLossDb(outside, At({20, 5, 1})), 0, "past it");
    }
};

/** Lines and a cylinder of 1 m around (5, 0), 2 m high. */
class ObstacleTestCase : public TestCase
{
  public:
    ObstacleTestCase()
        : TestCase("what an obstacle blocks")
    {
    }

  private:
    void DoRun() override
    {
        const Obstacle obstacle{nullptr, 1, 2, 10};
        const auto blocks = [&](const Vector& a, const Vector& b) {
            const bool there = ObstacleLossModel::Blocks(obstacle, {5, 0, 9}, a, b);
            NS_TEST_EXPECT_MSG_EQ(ObstacleLossModel::Blocks(obstacle, {5, 0, 9}, b, a),
                                  there,
                                  "reciprocity");
            return there;
        };
        NS_TEST_EXPECT_MSG_EQ(blocks({0, 0, 1}, {10, 0, 1}), true, "through the middle");
        NS_TEST_EXPECT_MSG_EQ(blocks({0, 0.99, 1}, {10, 0.99, 1}), true, "near the rim");
        NS_TEST_EXPECT_MSG_EQ(blocks({0, 1.01, 1}, {10, 1.01, 1}), false, "past it");
        NS_TEST_EXPECT_MSG_EQ(blocks({0, 0, 1}, {3.9, 0, 1}), false, "ends before it");
        NS_TEST_EXPECT_MSG_EQ(blocks({0, 0, 1}, {4.1, 0, 1}), true, "ends inside");
        NS_TEST_EXPECT_MSG_EQ(blocks({0, 0, 2.1}, {10, 0, 2.1}), false, "over it");
        // From 3 m at x = 0 down to 1 m at x = 10: at 1.8 m where it leaves, x = 6.
        NS_TEST_EXPECT_MSG_EQ(blocks({0, 0, 3}, {10, 0, 1}), true, "dips into its top");
        // From 3.5 m down to 1.5 m: at 2.3 m where it leaves.
        NS_TEST_EXPECT_MSG_EQ(blocks({0, 0, 3.5}, {10, 0, 1.5}), false, "passes over its top");
        NS_TEST_EXPECT_MSG_EQ(blocks({5.5, 0, 5}, {5.5, 0, 1}), true, "straight down onto it");
        NS_TEST_EXPECT_MSG_EQ(blocks({6.5, 0, 5}, {6.5, 0, 1}), false, "straight down beside it");

        // One that crosses the line at 2 m/s: within 1 m of it from 1.5 s to 2.5 s.
        auto mobility = CreateObject<ConstantVelocityMobilityModel>();
        mobility->SetPosition({5, -4, 0});
        mobility->SetVelocity({0, 2, 0});
        auto model = CreateObject<ObstacleLossModel>();
        model->Configure({{mobility, 1, 2, 10}, {mobility, 1, 2, 5}});
        const auto a = At({0, 0, 1});
        const auto b = At({10, 0, 1});
        for (const auto& [atS, lossDb] :
             std::vector<std::pair<double, double>>{{1.4, 0}, {1.6, 15}, {2.4, 15}, {2.6, 0}})
        {
            Simulator::Schedule(Seconds(atS), [=, lossDb = lossDb, this] {
                NS_TEST_EXPECT_MSG_EQ(model->GetLossDb(a, b), lossDb, "while it passes");
            });
        }
        Simulator::Run();
        Simulator::Destroy();
    }
};

/**
 * Shadowing over many seeds: mean 0, the standard deviation asked for, correlation 1/e at the
 * decorrelation distance. Tolerances: four standard errors.
 */
class ShadowingTestCase : public TestCase
{
  public:
    ShadowingTestCase()
        : TestCase("shadowing: moments, correlation and what it depends on")
    {
    }

  private:
    static constexpr double STD_DB = 6;
    static constexpr double DECORRELATION_M = 10;

    static Ptr<ShadowingLossModel> Make(uint64_t seed, const NodeContainer& ues)
    {
        auto model = CreateObject<ShadowingLossModel>();
        model->Configure(seed, STD_DB, DECORRELATION_M, ues);
        return model;
    }

    void DoRun() override
    {
        constexpr int SEEDS = 3000;
        NodeContainer ues(NodeAt({7, 3, 1.5}), NodeAt({7 + DECORRELATION_M, 3, 1.5}));
        const auto site = NodeAt({0, 0, 3})->GetObject<MobilityModel>();
        const auto other = NodeAt({40, 0, 3})->GetObject<MobilityModel>();
        const auto near = ues.Get(0)->GetObject<MobilityModel>();
        const auto far = ues.Get(1)->GetObject<MobilityModel>();
        double sum = 0;
        double squares = 0;
        double products = 0;
        double acrossSites = 0;
        double amongUes = 0;
        for (int seed = 1; seed <= SEEDS; seed++)
        {
            const auto model = Make(seed, ues);
            const double x = model->GetLossDb(site, near) / STD_DB;
            sum += x;
            squares += x * x;
            products += x * model->GetLossDb(site, far) / STD_DB;
            acrossSites += x * model->GetLossDb(other, near) / STD_DB;
            amongUes += std::pow(model->GetLossDb(near, far) / STD_DB, 2);
            NS_TEST_EXPECT_MSG_EQ(model->GetLossDb(near, site), x * STD_DB, "reciprocity");
            NS_TEST_EXPECT_MSG_EQ(model->GetLossDb(near, far),
                                  model->GetLossDb(far, near),
                                  "reciprocity between UEs");
        }
        const double n = SEEDS;
        NS_TEST_EXPECT_MSG_EQ_TOL(sum / n, 0, 4 / std::sqrt(n), "mean");
        NS_TEST_EXPECT_MSG_EQ_TOL(squares / n, 1, 4 * std::sqrt(2 / n), "variance");
        // A product of two standard normals of correlation r has variance 1 + r^2.
        const double r = std::exp(-1.0);
        NS_TEST_EXPECT_MSG_EQ_TOL(products / n,
                                  r,
                                  4 * std::sqrt((1 + r * r) / n),
                                  "correlation at the decorrelation distance");
        NS_TEST_EXPECT_MSG_EQ_TOL(acrossSites / n, 0, 4 / std::sqrt(n), "sites are independent");
        // Two places of one field, 10 m apart: (x + y) / sqrt 2 has variance 1 + r.
        NS_TEST_EXPECT_MSG_EQ_TOL(amongUes / n, 1 + r, 4 * (1 + r) * std::sqrt(2 / n), "UEs");

        const auto model = Make(5, ues);
        const auto again = Make(5, ues);
        again->GetLossDb(other, far);
        NS_TEST_EXPECT_MSG_EQ(again->GetLossDb(site, near), model->GetLossDb(site, near), "order");
        NS_TEST_EXPECT_MSG_EQ(model->GetLossDb(site, At({7, 3, 1.5})),
                              model->GetLossDb(site, near),
                              "a place without a node is a UE's");
    }
};

/** What is read from a scenario. */
class ReadTestCase : public TestCase
{
  public:
    ReadTestCase()
        : TestCase("a scenario's environment")
    {
    }

  private:
    static json Whole()
    {
        return {{"shadowing", {{"std_db", 6}, {"decorrelation_m", 10}}},
                {"buildings",
                 {{{"x_m", {0, 20}},
                   {"y_m", {0, 10}},
                   {"z_m", {0, 6}},
                   {"type", "office"},
                   {"walls", "stone-blocks"},
                   {"rooms_x", 4},
                   {"rooms_y", 2},
                   {"floors", 2}}}},
                {"zones", {{{"x_m", {0, 5}}, {"y_m", {0, 5}}, {"z_m", nullptr}, {"loss_db", 20}}}},
                {"obstacles",
                 {{{"count", 3},
                   {"mobility",
                    {{"model", "scatter"},
                     {"area_x_m", {0, 20}},
                     {"area_y_m", {0, 20}},
                     {"height_m", 0}}},
                   {"radius_m", 1},
                   {"height_m", 2},
                   {"loss_db", 10}}}}};
    }

    void DoRun() override
    {
        const auto whole = Whole();
        const auto environment = splitsim::MakeEnvironment({whole, "environment."}, 3, 1000);
        NS_TEST_EXPECT_MSG_EQ(environment->shadowingStdDb, 6, "shadowing");
        NS_TEST_ASSERT_MSG_EQ(environment->buildings.size(), 1, "buildings");
        NS_TEST_EXPECT_MSG_EQ(environment->buildings[0]->GetNRoomsX(), 4, "rooms");
        NS_TEST_EXPECT_MSG_EQ(environment->zones[0].box.IsInside({1, 1, -500}), true, "any height");
        NS_TEST_ASSERT_MSG_EQ(environment->obstacles.size(), 3, "obstacles");
        const auto first = environment->obstacles[0].mobility->GetPosition();
        const auto second = environment->obstacles[1].mobility->GetPosition();
        NS_TEST_EXPECT_MSG_NE(first.x, second.x, "each has a place of its own");
        const auto same = splitsim::MakeEnvironment({whole, "environment."}, 3, 1000);
        NS_TEST_EXPECT_MSG_EQ(same->obstacles[0].mobility->GetPosition().x, first.x, "by the seed");

        ExpectError("/shadowing/decorrelation_m", 0, "environment.shadowing.decorrelation_m: 0");
        ExpectError("/buildings/0/walls", "glass", "environment.buildings[0].walls: \"glass\"");
        ExpectError("/buildings/0/rooms_x", 0, "environment.buildings[0].rooms_x: 0");
        ExpectError("/zones/0/loss_db", -1, "environment.zones[0].loss_db: -1");
        ExpectError("/obstacles/0/mobility/model",
                    "fly",
                    "environment.obstacles[0].mobility.model");
    }

    void ExpectError(const std::string& field, const json& value, const std::string& expected)
    {
        auto broken = Whole();
        broken[json::json_pointer(field)] = value;
        std::string message;
        try
        {
            splitsim::MakeEnvironment({broken, "environment."}, 3, 1000);
        }
        catch (const ConfigError& error)
        {
            message = error.what();
        }
        NS_TEST_EXPECT_MSG_EQ(message.rfind(expected, 0), 0, field << " said '" << message << "'");
    }
};

class EnvironmentTestSuite : public TestSuite
{
  public:
    EnvironmentTestSuite()
        : TestSuite("splitsim-environment")
    {
        AddTestCase(new BuildingTestCase);
        AddTestCase(new ChainTestCase);
        AddTestCase(new ZoneTestCase);
        AddTestCase(new ObstacleTestCase);
        AddTestCase(new ShadowingTestCase);
        AddTestCase(new ReadTestCase);
    }
};

static EnvironmentTestSuite g_environmentTestSuite;
