// How Hydra is called, what its launcher prints, and which MPI a program needs.
#include "frameworks/mpi/plan.h"

#include "protocol/rng.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace stoa::mpi {
namespace {

using testing::ElementsAre;

Job job() {
    Job job;
    job.ranks = 3;
    job.argv = {"./a.out", "-n", "x y"};
    job.directory = "/home/me";
    return job;
}

TEST(MpiPlan, CallsHydraWithTheAgentsAddressesAndItsOwn) {
    EXPECT_THAT(hydraCommand("mpiexec.hydra", job(), {{"10.0.0.2", 2}, {"10.0.0.3", 1}}, "10.0.0.1"),
                ElementsAre("mpiexec.hydra", "-launcher", "manual", "-localhost", "10.0.0.1", "-hosts",
                            "10.0.0.2:2,10.0.0.3:1", "-n", "3", "-wdir", "/home/me", "./a.out", "-n", "x y"));
}

TEST(MpiPlan, TellsAgentsWithOneAddressApartByName) {
    Job labelled = job();
    labelled.label = true;
    EXPECT_THAT(hydraCommand("mpiexec.hydra", labelled, {{"127.0.0.1", 2}, {"127.0.0.1", 1}}, "127.0.0.1"),
                ElementsAre("mpiexec.hydra", "-launcher", "manual", "-localhost", "127.0.0.1", "-hosts",
                            "place0:2,place1:1", "-n", "3", "-wdir", "/home/me", "-disable-hostname-propagation",
                            "-prepend-rank", "./a.out", "-n", "x y"));
}

// As MPICH 4.0.2 prints it.
const std::string kLines = "HYDRA_LAUNCH: /usr/bin/hydra_pmi_proxy --control-port 10.0.0.1:43073 --proxy-id 0 \n"
                           "HYDRA_LAUNCH: /usr/bin/hydra_pmi_proxy --control-port 10.0.0.1:43073 --proxy-id 1 \n"
                           "HYDRA_LAUNCH_END\n";

TEST(MpiPlan, ReadsTheProxiesHoweverTheLinesArrive) {
    const std::string output = kLines + "HYDRA_LAUNCH: says a rank\n";
    for (std::size_t cut = 0; cut <= output.size(); ++cut) {
        LaunchLines lines(2);
        ASSERT_TRUE(lines.feed(output.substr(0, cut)).ok());
        EXPECT_EQ(lines.complete(), cut >= kLines.size());
        ASSERT_TRUE(lines.feed(output.substr(cut)).ok());
        ASSERT_TRUE(lines.complete());
        EXPECT_THAT(lines.proxies()[1],
                    ElementsAre("/usr/bin/hydra_pmi_proxy", "--control-port", "10.0.0.1:43073", "--proxy-id", "1"));
        EXPECT_EQ(lines.takeRest(), "HYDRA_LAUNCH: says a rank\n");
        EXPECT_EQ(lines.takeRest(), "");
    }
}

TEST(MpiPlan, RefusesWhatNoHydraPrints) {
    EXPECT_EQ(LaunchLines(3).feed(kLines).message(), "Hydra wants 2 proxies for 3 agents");
    EXPECT_EQ(LaunchLines(2).feed("usage: mpiexec\n").message(),
              "Hydra prints \"usage: mpiexec\" where its proxies' commands are expected");
}

std::string fileOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

TEST(MpiPlan, ReadsWhichLibrariesAProgramNeeds) {
    EXPECT_THAT(neededLibraries(fileOf("/proc/self/exe")), testing::Contains("libc.so.6"));
    EXPECT_TRUE(neededLibraries("#!/bin/sh\nexec a.out\n").empty());
    EXPECT_TRUE(neededLibraries("").empty());
}

TEST(MpiPlan, ReadsNothingOutsideOfADamagedProgram) {
    const std::string whole = fileOf("/bin/true");
    Rng rng(1);
    for (int i = 0; i < 2'000; ++i) {
        std::string damaged = whole.substr(0, rng.below(2) == 0 ? whole.size() : rng.below(whole.size()));
        for (int flips = 0; flips < 8 && damaged.size() > 16; ++flips) {
            damaged[5 + rng.below(std::min<std::size_t>(damaged.size() - 5, 1024))] = static_cast<char>(rng.below(256));
        }
        for (const std::string& library : neededLibraries(damaged)) EXPECT_LT(library.size(), damaged.size());
    }
}

TEST(MpiPlan, TakesProgramsOfMpichAndRefusesOthersByName) {
    EXPECT_TRUE(runsUnderHydra("a.out", {"libmpich.so.12", "libc.so.6"}).ok());
    EXPECT_TRUE(runsUnderHydra("a.out", {"libmpi.so.12", "libc.so.6"}).ok());
    EXPECT_TRUE(runsUnderHydra("wrapper", {"libc.so.6"}).ok());
    EXPECT_EQ(runsUnderHydra("./a.out", {"libmpi_cxx.so.40", "libmpi.so.40"}).message(),
              "./a.out is built for another MPI: it needs libmpi_cxx.so.40; `stoa mpi` starts programs that are built "
              "for MPICH (libmpich.so.12), as with mpicc.mpich");
    EXPECT_FALSE(runsUnderHydra("a.out", {"libmpi.so.40"}).ok());
}

} // namespace
} // namespace stoa::mpi
