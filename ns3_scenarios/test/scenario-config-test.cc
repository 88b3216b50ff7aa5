/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "../scenario/scenario-config.h"

#include "ns3/test.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using namespace ns3;
using nlohmann::json;
using splitsim::ConfigError;
using splitsim::ScenarioConfig;

namespace
{

/** A small valid scenario: prompts of 1 to 2 tokens, outputs of 1. */
json
Scenario()
{
    const json profile{{"prefill_block_s", {0, 0.1, 0.2}},
                       {"decode_block_s", {0, 0.1, 0.1, 0.1}},
                       {"head_s", 0.01},
                       {"power_w", 5}};
    return {
        {"name", "test"},
        {"mobility", {{"model", "constant"}, {"position_m", {5, 0, 1.5}}}},
        {"others", json::array()},
        {"link", {{"technology", "wifi"}}},
        {"environment", json::object()},
        {"arrivals",
         {{"count", 3},
          {"start_s", 2},
          {"deadline_s", 4},
          {"min_gap_s", 4},
          {"mean_extra_gap_s", 1},
          {"prompt_tokens", {1, 2}},
          {"output_tokens", {1, 1}}}},
        {"transport",
         {{"reassembly_timeout_s", 0.1},
          {"retry_timeout_s", 0.2},
          {"max_retries", 2},
          {"device_queue_window", 64},
          {"token_id_bytes", 16}}},
        {"codecs", {{{"name", "fp16"}, {"fragment_bytes", {1366, 1366}}}}},
        {"compute",
         {{"num_layers", 4},
          {"splits", {1, 4}},
          {"ue", profile},
          {"edge", profile},
          {"background_jobs_per_s", 0},
          {"background_job_s", 0}}},
    };
}

/** A path of one node. */
json
Walk(const json& rows)
{
    return {{"model", "track"},
            {"tracks", {{{"rows", rows}, {"stays", true}}}},
            {"choose", false},
            {"offset_s", {0, 0}},
            {"at_end", "stay"}};
}

/** A group of other UEs with traffic. */
json
Group(const json& count)
{
    return {{"count", count},
            {"mobility", {{"model", "ring"}, {"position_m", {0, 0, 1}}, {"distance_m", {3, 15}}}},
            {"traffic",
             {{"kind", "on-off"},
              {"direction", "uplink"},
              {"rate_kbps", 100},
              {"packet_bytes", 1000},
              {"on_s", 1},
              {"off_s", 1},
              {"frames_per_s", 30}}},
            {"split", nullptr}};
}

} // namespace

/** Base: writes a scenario to a file and loads it. */
class LoadTestCase : public TestCase
{
  public:
    using TestCase::TestCase;

  protected:
    ScenarioConfig Load(const std::string& text)
    {
        const auto path = CreateTempDirFilename("scenario.json");
        std::ofstream(path) << text;
        return ScenarioConfig::Load(path);
    }
};

/** A valid scenario arrives whole. */
class ValidTestCase : public LoadTestCase
{
  public:
    ValidTestCase()
        : LoadTestCase("a valid scenario")
    {
    }

  private:
    void DoRun() override
    {
        auto data = Scenario();
        auto config = Load(data.dump());
        NS_TEST_EXPECT_MSG_EQ(config.name, "test", "name");
        NS_TEST_EXPECT_MSG_EQ(config.mobility.position.zM, 1.5, "position");
        NS_TEST_EXPECT_MSG_EQ(config.link.at("technology"), "wifi", "link");
        NS_TEST_EXPECT_MSG_EQ(config.arrivals.promptTokens.high, 2, "range");
        NS_TEST_EXPECT_MSG_EQ(config.codecs.at(0).fragmentBytes.size(), 2, "codec");
        NS_TEST_EXPECT_MSG_EQ(config.compute.splits.at(1), 4, "splits");
        NS_TEST_EXPECT_MSG_EQ(config.compute.edge.prefillBlockS.at(2), 0.2, "table");

        data["mobility"] = Walk({{0, 5, 0, 1}, {9, 50, 0, 1}});
        config = Load(data.dump());
        const auto& waypoints = config.mobility.tracks.at(0).waypoints;
        NS_TEST_ASSERT_MSG_EQ(waypoints.size(), 2, "waypoints");
        NS_TEST_EXPECT_MSG_EQ(waypoints[1].timeS, 9, "time");
        NS_TEST_EXPECT_MSG_EQ(waypoints[1].position.xM, 50, "position");

        NS_TEST_EXPECT_MSG_EQ(config.transport.fecData, 0, "no parity");
        data["transport"]["fec"] = {{"data", 20}, {"parity", 4}};
        config = Load(data.dump());
        NS_TEST_EXPECT_MSG_EQ(config.transport.fecData, 20, "fragments of a group");
        NS_TEST_EXPECT_MSG_EQ(config.transport.fecParity, 4, "parity");

        data["others"] = json::array({Group(2)});
        config = Load(data.dump());
        NS_TEST_EXPECT_MSG_EQ(config.CountUes(), 3, "the agent's and two more");
        NS_TEST_EXPECT_MSG_EQ(config.others.at(0).traffic->rateKbps, 100, "traffic");
        NS_TEST_EXPECT_MSG_EQ(config.others.at(0).split.has_value(), false, "no inference");
    }
};

/** What is wrong with a scenario is said by field and value. */
class InvalidTestCase : public LoadTestCase
{
  public:
    InvalidTestCase()
        : LoadTestCase("errors name the field and the value")
    {
    }

  private:
    /** @return what loading complains about; empty when it doesn't */
    std::string Complaint(const std::string& text)
    {
        try
        {
            Load(text);
        }
        catch (const ConfigError& error)
        {
            return error.what();
        }
        return "";
    }

    void Expect(const std::string& pointer, const json& value, const std::string& field)
    {
        auto data = Scenario();
        data[json::json_pointer(pointer)] = value;
        const auto complaint = Complaint(data.dump());
        NS_TEST_EXPECT_MSG_EQ(complaint.rfind(field + ": ", 0),
                              0,
                              "names " << field << ": '" << complaint << "'");
        NS_TEST_EXPECT_MSG_NE(complaint.find(value.dump()),
                              std::string::npos,
                              "shows " << value << ": '" << complaint << "'");
        NS_TEST_EXPECT_MSG_EQ(complaint.find('\n'), std::string::npos, "one line");
    }

    void DoRun() override
    {
        Expect("/mobility/model", "teleport", "mobility.model");
        Expect("/mobility/position_m", {1, 2}, "mobility.position_m");
        Expect("/arrivals/count", 0, "arrivals.count");
        Expect("/arrivals/min_gap_s", 3.5, "arrivals.min_gap_s");
        Expect("/arrivals/prompt_tokens", {0, 2}, "arrivals.prompt_tokens");
        Expect("/transport/max_retries", 255, "transport.max_retries");
        Expect("/transport/fec/data", 255, "transport.fec.data");
        Expect("/codecs", json::array(), "codecs");
        Expect("/codecs/0/fragment_bytes", json::array(), "codecs[0].fragment_bytes");
        Expect("/compute/splits", {1, 5}, "compute.splits");
        Expect("/compute/ue/prefill_block_s", {0, 0.1}, "compute.ue.prefill_block_s");
        ExpectWaypoints();
        ExpectMissing();
        ExpectCounts();
    }

    void ExpectGroup(const json& group, const std::string& field)
    {
        auto data = Scenario();
        data["others"] = json::array({group});
        NS_TEST_EXPECT_MSG_EQ(Complaint(data.dump()).rfind(field + ": ", 0), 0, "names " << field);
    }

    void ExpectWaypoints()
    {
        auto data = Scenario();
        data["mobility"] = Walk({{5, 0, 0, 1}, {5, 1, 0, 1}});
        NS_TEST_EXPECT_MSG_EQ(Complaint(data.dump()).rfind("mobility.tracks[0].rows: ", 0),
                              0,
                              "times that don't increase");
    }

    void ExpectMissing()
    {
        auto data = Scenario();
        data["arrivals"].erase("deadline_s");
        NS_TEST_EXPECT_MSG_EQ(Complaint(data.dump()), "arrivals.deadline_s: missing", "a field");
        data = Scenario();
        data.erase("link");
        NS_TEST_EXPECT_MSG_EQ(Complaint(data.dump()), "link: missing", "a section");
        NS_TEST_EXPECT_MSG_NE(Complaint("{").find("no valid JSON"), std::string::npos, "no JSON");
        NS_TEST_EXPECT_MSG_NE(Complaint("[]"), "", "no object");
        try
        {
            ScenarioConfig::Load("/no/such/file.json");
            NS_TEST_EXPECT_MSG_EQ(true, false, "a missing file is an error");
        }
        catch (const ConfigError& error)
        {
            const std::string text = error.what();
            NS_TEST_EXPECT_MSG_EQ(text.rfind("/no/such/file.json: ", 0), 0, "names the file");
        }
    }

    /** Counts must be whole and not negative; a conversion must not make others of them. */
    void ExpectCounts()
    {
        ExpectGroup(Group(-1), "others[0].count");
        Expect("/arrivals/count", 2.5, "arrivals.count");
        Expect("/transport/device_queue_window", -64, "transport.device_queue_window");
    }
};

class ScenarioConfigTestSuite : public TestSuite
{
  public:
    ScenarioConfigTestSuite()
        : TestSuite("splitsim-scenario-config")
    {
        AddTestCase(new ValidTestCase);
        AddTestCase(new InvalidTestCase);
    }
};

static ScenarioConfigTestSuite g_scenarioConfigTestSuite;
