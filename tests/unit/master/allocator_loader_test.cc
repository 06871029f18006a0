// Modules from shared objects, built here as their writers would build them.
#include "allocator/module_check.h"
#include "master/allocator_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace stoa::master {
namespace {

namespace fs = std::filesystem;

// A folder of its own that goes with it.
class AllocatorLoader : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "stoa-modules-XXXXXX").string();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
    }
    void TearDown() override { fs::remove_all(folder_); }

    // tests/allocator_modules/NAME.cc as a shared object.
    std::string built(const std::string& name) {
        const fs::path root = fs::path(__FILE__).parent_path().parent_path().parent_path().parent_path();
        std::string object = (folder_ / (name + ".so")).string();
        const std::string command = "c++ -std=c++20 -fPIC -shared -I'" + (root.empty() ? "." : root.string()) + "' '" +
                                    (root / "tests/allocator_modules" / (name + ".cc")).string() + "' -o '" + object +
                                    "'";
        EXPECT_EQ(std::system(command.c_str()), 0) << command;
        return object;
    }
    static std::string refusal(const std::string& name) {
        return std::string(findAllocatorModule(name).status().message());
    }

    fs::path folder_;
};

TEST_F(AllocatorLoader, ALoadedModuleDecidesAsABuiltInOneDoes) {
    const auto module = findAllocatorModule(built("first_come"));
    ASSERT_TRUE(module.ok()) << module.status();
    EXPECT_STREQ((*module)->name, "first-come");
    const auto report = allocator::checkModule(*module, "", 5);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_THAT(report->problems, testing::IsEmpty());
    EXPECT_GT(report->grants, 0U);
    EXPECT_THAT(std::string(allocator::checkModule(*module, "bad", 1).status().message()),
                testing::HasSubstr("\"bad\""));
}

TEST_F(AllocatorLoader, AWrongVersionIsRefusedWithWhatWasFoundAndWhatIsNeeded) {
    EXPECT_THAT(refusal(built("wrong_version")),
                testing::AllOf(testing::HasSubstr("wrong_version.so"), testing::HasSubstr("version 7"),
                               testing::HasSubstr("needs version 1")));
}

TEST_F(AllocatorLoader, AnObjectThatIsNoModuleIsRefused) {
    EXPECT_THAT(refusal(built("no_module")), testing::HasSubstr("doesn't export stoa_allocator_v1()"));
}

TEST_F(AllocatorLoader, AFileThatIsNoObjectIsRefused) {
    const std::string path = (folder_ / "text.so").string();
    std::ofstream(path) << "not an object\n";
    EXPECT_THAT(refusal(path), testing::AllOf(testing::HasSubstr("text.so"), testing::HasSubstr("can't be loaded")));
    EXPECT_THAT(refusal("./absent.so"), testing::HasSubstr("no file ./absent.so"));
}

TEST_F(AllocatorLoader, BuiltInModulesGoByName) {
    EXPECT_TRUE(findAllocatorModule("drf").ok());
    EXPECT_TRUE(findAllocatorModule("spread").ok());
    EXPECT_THAT(refusal("dfr"), testing::AllOf(testing::HasSubstr("\"dfr\""), testing::HasSubstr("drf, spread")));
}

} // namespace
} // namespace stoa::master
