#include "agent/users.h"
#include "tests/unit/agent/scratch_dir.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>

namespace stoa::agent {
namespace {

class RememberedUsers : public testing::Test {
protected:
    std::optional<TaskUser> named(const std::string& name) { return users_.named(name, now_); }
    void add(const std::string& line) { std::ofstream(passwd_, std::ios::app) << line << "\n"; }

    ScratchDir scratch_;
    std::string passwd_ = (scratch_.path() / "passwd").string();
    int asked_ = 0;
    bool alice_is_there_ = true;
    Time now_{std::chrono::hours(1)};
    Users users_{[this](const std::string& name) -> std::optional<TaskUser> {
                     ++asked_;
                     if (!alice_is_there_) return std::nullopt;
                     return TaskUser{name, static_cast<uid_t>(asked_), 0, {7}};
                 },
                 {passwd_, (scratch_.path() / "group").string()}};
};

TEST_F(RememberedUsers, AreAskedForOnce) {
    EXPECT_EQ(named("alice")->uid, 1u);
    now_ += std::chrono::seconds(9);
    EXPECT_EQ(named("alice")->uid, 1u);
    EXPECT_EQ(named("alice")->groups, std::vector<gid_t>{7});
    EXPECT_EQ(asked_, 1);
    EXPECT_EQ(named("bob")->uid, 2u);
}

TEST_F(RememberedUsers, AreAskedForAgainWhenTheFileOfUsersHasChanged) {
    named("alice");
    add("alice");
    EXPECT_EQ(named("alice")->uid, 2u);
    EXPECT_EQ(named("alice")->uid, 2u);
    std::ofstream(scratch_.path() / "group") << "staff";
    EXPECT_EQ(named("alice")->uid, 3u);
}

TEST_F(RememberedUsers, AreAskedForAgainAfterTenSeconds) {
    named("alice");
    now_ += std::chrono::seconds(10);
    EXPECT_EQ(named("alice")->uid, 2u);
}

TEST_F(RememberedUsers, ThatANameIsUnknownIsNotRemembered) {
    alice_is_there_ = false;
    EXPECT_FALSE(named("alice"));
    alice_is_there_ = true;
    EXPECT_TRUE(named("alice"));
}

TEST(Users, AreTheHosts) {
    Users users;
    EXPECT_EQ(users.named("root", Time{})->uid, 0u);
    EXPECT_EQ(users.own(Time{})->uid, ::geteuid());
    EXPECT_FALSE(users.named("no-such-user", Time{}));
}

} // namespace
} // namespace stoa::agent
