#include "common/uid.h"

#include <gtest/gtest.h>

namespace sasq {
namespace {

TEST(UidTest, UidsDifferAndHaveTheirForm) {
  const std::string first = NewUid();
  EXPECT_TRUE(IsUid(first));
  EXPECT_NE(first, NewUid());
  EXPECT_FALSE(IsUid("../../../../etc/passwd"));
  EXPECT_FALSE(IsUid(std::string(32, 'G')));
}

}  // namespace
}  // namespace sasq
