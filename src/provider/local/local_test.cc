#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "provider/local/environment.h"
#include "provider/local/image.h"
#include "provider/local/output.h"
#include "provider/local/sandbox.h"

namespace faas::provider {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string refusal(const std::string& image, const std::string& process) {
  const auto resolved = resolve_image({.name = {"f", "ns"}, .image = image, .env_process = process});
  return resolved ? "accepted" : resolved.error().text;
}

TEST(Image, OnlyWhatThisMachineCanRunIsAccepted) {
  EXPECT_EQ(refusal("host", "cat"), "accepted");
  EXPECT_EQ(refusal("dir:/tmp", ""), "accepted");
  EXPECT_THAT(refusal("host", ""), HasSubstr("envProcess is required"));
  EXPECT_EQ(refusal("dir:/no/such", "cat"), "image \"dir:/no/such\": there is no such folder");
  EXPECT_EQ(refusal("dir:tmp", "cat"), "image \"dir:tmp\": the folder must be an absolute path");
  EXPECT_EQ(refusal("dir:/bin/cat", "cat"), "image \"dir:/bin/cat\": there is no such folder");
  EXPECT_EQ(refusal("example/figlet:latest", ""),
            "image \"example/figlet:latest\": this provider runs \"host\" and \"dir:/path\" images; OCI "
            "images are not supported yet");
}

TEST(Environment, TheUserChoosesAllButWhatMakesTheReplicaReachable) {
  FunctionSpec spec{.name = {"echo", "ns"}, .image = "host", .env_process = "cat"};
  spec.env_vars = {{"mode", "http"},
                   {"HOME", "/srv"},
                   {"unix_socket", "/x"},
                   {"OPENFAAS_NAME", "other"},
                   {"exec_timeout", "7s"}};
  const ReplicaSettings settings{.socket_path = "/run/s", .path = "/bin", .ready_fd = 3, .listen_tcp = false};

  EXPECT_THAT(
      make_environment(spec, settings),
      ElementsAre("HOME=/srv", "OPENFAAS_NAME=echo", "OPENFAAS_NAMESPACE=ns", "PATH=/bin", "exec_timeout=7s",
                  "fprocess=cat", "healthcheck_interval=0s", "listen_tcp=false", "mode=http",
                  "read_timeout=0s", "ready_fd=3", "unix_socket=/run/s", "write_timeout=24h"));
}

TEST(Sandbox, AReplicaSeesItsOwnFolderAndNothingElseOfTheGateways) {
  const auto isolation = make_sandbox({.root = "",
                                       .command = "cat",
                                       .data_dir = "/data",
                                       .run_folder = "/data/run/1",
                                       .user_namespace = false,
                                       .as_root = true});
  EXPECT_THAT(isolation.hidden, Contains("/data"));
  ASSERT_EQ(isolation.binds.size(), 1u);
  EXPECT_EQ(isolation.binds[0].host, "/data/run/1");
  EXPECT_FALSE(isolation.binds[0].read_only);
  EXPECT_TRUE(isolation.run_as) << "not root";
}

TEST(Sandbox, AProgramThatOnlyRootCanReachIsRunByRoot) {
  char name[] = "/tmp/faas-sandbox-XXXXXX";
  const std::string folder = ::mkdtemp(name);  // mode 0700
  std::filesystem::copy_file("/bin/cat", folder + "/cat");
  SandboxRequest request{
      .root = "", .command = folder + "/cat -n", .data_dir = "/data", .run_folder = "/data/run/1"};
  request.as_root = true;

  const auto isolation = make_sandbox(request);
  std::filesystem::permissions(folder, std::filesystem::perms(0755));
  const auto open = make_sandbox(request);
  std::filesystem::remove_all(folder);

  EXPECT_FALSE(isolation.run_as);
  EXPECT_TRUE(open.run_as);
  EXPECT_THAT(isolation.binds, Contains(Field(&process::Bind::inside, folder)))
      << "the private /tmp covers it";
}

TEST(Sandbox, AProgramBesideTheGatewaysFolderDoesNotUncoverIt) {
  const auto binds = [](const std::string& data_dir) {
    return make_sandbox({.root = "", .command = "/tmp/mine/run.sh", .data_dir = data_dir, .run_folder = "/r"})
        .binds;
  };
  EXPECT_THAT(binds("/data"), testing::SizeIs(2));
  EXPECT_THAT(binds("/tmp/mine/data"), testing::SizeIs(1));
  EXPECT_THAT(binds("/tmp"), testing::SizeIs(1));
}

TEST(Sandbox, TheFilesOfACommandAreItsProgramAndItsAbsolutePaths) {
  EXPECT_THAT(files_of("sh /no/such/script.sh relative"),
              AllOf(Contains("/no/such/script.sh"), Not(Contains("relative"))));
  EXPECT_THAT(files_of("sh"), Contains(testing::EndsWith("/sh")));
  EXPECT_THAT(files_of(""), IsEmpty());
}

TEST(Output, LinesMayBeCutAnywhere) {
  const std::string text = "2024/01/02 10:20:30 first\nsecond\r\n\n  \nlast";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Output output("test: ");
    output.append(std::string_view(text).substr(0, cut));
    output.append(std::string_view(text).substr(cut));
    output.finish();
    EXPECT_THAT(output.last_lines(), ElementsAre("first", "second", "last")) << cut;
  }
}

TEST(Output, TheEndIsToldInTheFunctionsOwnWords) {
  Output output("test: ");
  EXPECT_EQ(output.end("exit status 1"), "exit status 1");
  output.append("2024/01/02 10:20:30 stderr: KeyError: x\n2024/01/02 10:20:30 stdout: bye\n");
  EXPECT_EQ(output.end("signal: killed"), "signal: killed: stdout: bye");
  output.append("2024/01/02 10:20:30 Forked function has terminated: exit status 3\n");
  EXPECT_EQ(output.end("exit status 1"), "exit status 3: KeyError: x");

  Output silent("test: ");
  silent.append("2024/01/02 10:20:30 Forked function has terminated: signal: killed\n");
  EXPECT_EQ(silent.end("exit status 1"), "signal: killed");
}

TEST(Output, WhatIsKeptIsBounded) {
  Output output("test: ");
  output.append(std::string(3 * Output::kLineBytesMax, 'x') + "\n");
  for (int i = 0; i < 20; ++i) output.append("line " + std::to_string(i) + "\n");
  EXPECT_EQ(output.last_lines().size(), Output::kKeptLinesMax);
  EXPECT_EQ(output.last_lines().back(), "line 19");
  output.append(std::string(1000, 'y') + "\n");
  EXPECT_EQ(output.last_lines().back().size(), Output::kKeptBytesMax);
}

}  // namespace
}  // namespace faas::provider
