#include "watchdog/settings.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <vector>

#include "watchdog/command_line.h"

namespace faas::watchdog {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Result<Settings> read(Program program, std::vector<const char*> variables) {
  variables.push_back(nullptr);
  return read_settings(program, variables.data());
}
Result<Settings> of(std::vector<const char*> variables) {
  return read(Program::of_watchdog, std::move(variables));
}
Result<Settings> classic(std::vector<const char*> variables) {
  return read(Program::classic, std::move(variables));
}

TEST(Settings, DefaultsAreTheReferences) {
  const auto settings = of({"fprocess=cat"});
  EXPECT_EQ(settings->mode, Mode::streaming);
  EXPECT_EQ(settings->port, 8080);
  EXPECT_EQ(settings->content_type, "application/octet-stream");
  EXPECT_EQ(settings->exec_timeout, 30s);
  EXPECT_EQ(settings->healthcheck_interval, 30s);
  EXPECT_EQ(settings->log_buffer_size, 65536);
  EXPECT_TRUE(settings->prefix_logs);
  EXPECT_EQ(settings->lock_folder, "/tmp");
  EXPECT_EQ(classic({"fprocess=cat"})->exec_timeout, 0s);
  EXPECT_EQ(classic({"fprocess=cat"})->mode, Mode::classic);
}

TEST(Settings, FunctionProcessWinsEvenWhenItIsEmpty) {
  EXPECT_EQ(of({"fprocess=a", "function_process=b"})->process, "b");
  EXPECT_THAT(
      of({"fprocess=a", "function_process="}).error().text,
      HasSubstr("provide a \"function_process\" or \"fprocess\" environmental variable for your function"));
  EXPECT_EQ(classic({"fprocess=a", "function_process=b"})->process, "a");
  EXPECT_EQ(classic({}).error().text, "Provide a valid process via fprocess environmental variable.");
}

TEST(Settings, AnInvalidDurationIsTheDefaultAndOfHealthTheWriteTimeout) {
  for (const auto* value :
       {"exec_timeout= 5", "exec_timeout=1d", "exec_timeout=0x10", "exec_timeout=", "exec_timeout=-5"}) {
    EXPECT_EQ(of({"fprocess=cat", value})->exec_timeout, 30s) << value;
    EXPECT_EQ(classic({"fprocess=cat", value})->exec_timeout, 0s) << value;
  }
  EXPECT_EQ(of({"fprocess=cat", "write_timeout=7"})->healthcheck_interval, 7s);
  EXPECT_EQ(of({"fprocess=cat", "write_timeout=7", "healthcheck_interval=x"})->healthcheck_interval, 7s);
}

TEST(Settings, OfWatchdogTakesABadPortForZeroAndClassicForTheDefault) {
  EXPECT_EQ(of({"fprocess=cat", "port=abc"})->port, 0);
  EXPECT_EQ(of({"fprocess=cat", "port="})->port, 0);
  EXPECT_EQ(classic({"fprocess=cat", "port=abc"})->port, 8080);
  EXPECT_EQ(classic({"fprocess=cat", "port=-1"})->port, 8080);
}

TEST(Settings, TruthsHaveThreeGrammars) {
  EXPECT_TRUE(of({"fprocess=cat", "suppress_lock=1"})->suppress_lock);
  EXPECT_FALSE(of({"fprocess=cat", "suppress_lock=True"})->suppress_lock);
  EXPECT_FALSE(classic({"fprocess=cat", "suppress_lock=1"})->suppress_lock);
  EXPECT_TRUE(classic({"fprocess=cat", "cgi_headers="})->cgi_headers);
  EXPECT_FALSE(classic({"fprocess=cat", "cgi_headers=1"})->cgi_headers);
  EXPECT_FALSE(of({"fprocess=cat", "prefix_logs=F"})->prefix_logs);
  EXPECT_TRUE(of({"fprocess=cat", "prefix_logs=no"})->prefix_logs);
}

TEST(Settings, OfTwoSpellingsOfATruthEitherWillDo) {
  EXPECT_TRUE(of({"fprocess=cat", "http_buffer_req_body=false", "buffer_http=true"})->buffer_body);
  EXPECT_TRUE(of({"fprocess=cat", "http_buffer_req_body=1", "buffer_http=no"})->buffer_body);
  EXPECT_FALSE(of({"fprocess=cat", "http_buffer_req_body=no", "buffer_http=yes"})->buffer_body);
  EXPECT_TRUE(of({"fprocess=cat", "log_callid=T"})->log_call_id);
  EXPECT_TRUE(of({"fprocess=cat", "log_call_id=true"})->log_call_id);
  EXPECT_FALSE(of({"fprocess=cat", "log_callid=yes"})->log_call_id);
}

TEST(Settings, RefusesWhatTheReferenceRefuses) {
  EXPECT_THAT(of({"fprocess=cat", "write_timeout=0"}).error().text,
              HasSubstr("HTTP write timeout must be over 0s"));
  EXPECT_TRUE(classic({"fprocess=cat", "write_timeout=0"}));
  EXPECT_EQ(of({"fprocess=cat", "log_buffer_size=abc"}).error().text,
            "Error loading config: invalid log_buffer_size value: abc, error: strconv.Atoi: parsing \"abc\": "
            "invalid "
            "syntax");
  EXPECT_THAT(of({"fprocess=cat", "mode=HTTP"}).error().text, HasSubstr("unknown watchdog mode: \"HTTP\""));
  EXPECT_THAT(of({"fprocess=cat", "mode=inproc"}).error().text, HasSubstr("is not supported"));
  EXPECT_EQ(of({"fprocess=cat", "mode="})->mode, Mode::streaming);
  EXPECT_EQ(of({"fprocess=cat", "mode=afterburn"})->mode, Mode::afterburn);
  EXPECT_EQ(name_of(Mode::afterburn), "afterburn");
}

TEST(Settings, StaticModeNeedsAFolderAndNoProcess) {
  EXPECT_EQ(of({"mode=static"})->mode, Mode::static_files);
  EXPECT_EQ(of({"mode=static"})->static_path, "/home/app/public");
  EXPECT_EQ(of({"mode=static", "static_path=site"})->static_path, "site");
  EXPECT_EQ(of({"mode=static", "static_path="}).error().text,
            "For mode=static you must specify the \"static_path\" to serve");
  EXPECT_TRUE(of({"fprocess=cat", "static_path="})) << "another mode";
}

TEST(Settings, OfAuthenticationAreUnderstoodOrRefused) {
  for (const auto read : {&of, &classic}) {
    EXPECT_FALSE(read({"fprocess=cat"})->jwt_auth);
    for (const auto* word : {"jwt_auth=true", "jwt_auth=1"})
      EXPECT_TRUE(read({"fprocess=cat", word})->jwt_auth) << word;
    for (const auto* word : {"jwt_auth=false", "jwt_auth=0", "jwt_auth="}) {
      EXPECT_FALSE(read({"fprocess=cat", word})->jwt_auth) << word;
    }
    for (const auto* word : {"jwt_auth=TRUE", "jwt_auth=yes", "jwt_auth= true"}) {
      EXPECT_THAT(read({"fprocess=cat", word}).error().text, HasSubstr("use true or false")) << word;
    }
  }
  EXPECT_FALSE(of({"fprocess=cat"})->has_function_namespace);
  EXPECT_TRUE(of({"fprocess=cat", "OPENFAAS_NAMESPACE="})->has_function_namespace);
  EXPECT_EQ(of({"fprocess=cat"})->jwt_auth_start_timeout, std::chrono::seconds(30));
}

TEST(Settings, OfOneNameTwiceTheLastWins) {
  EXPECT_EQ(of({"fprocess=a", "fprocess=b"})->process, "b");
  EXPECT_EQ(lock_folder(std::vector<const char*>{"TMPDIR=", nullptr}.data()), "/tmp");
  EXPECT_EQ(lock_folder(std::vector<const char*>{"TMPDIR=/x", nullptr}.data()), "/x");
}

TEST(Settings, TimeoutsArePrintedAsUnderstood) {
  const auto settings = of({"fprocess=cat", "read_timeout=5", "write_timeout=1.5h", "exec_timeout=100ms",
                            "healthcheck_interval=2us"});
  EXPECT_EQ(timeouts_line(*settings), "Timeouts: read: 5s write: 1h30m0s hard: 100ms health: 2\u00b5s");
  EXPECT_THAT(timeouts_line(*classic({"fprocess=cat"})), HasSubstr("health: 30s."));
}

TEST(Settings, AWriteTimeoutThatComesFirstIsWarnedOf) {
  const auto warning = [](const Result<Settings>& settings) { return timeouts_warning(*settings); };
  EXPECT_EQ(warning(of({"fprocess=cat", "write_timeout=1s"})),
            "Warning: write_timeout (1s) is shorter than exec_timeout (30s): a call that has not begun to "
            "answer by "
            "then is ended with 504");
  EXPECT_THAT(warning(of({"fprocess=cat", "exec_timeout=0"})), HasSubstr("exec_timeout (no limit)"));
  EXPECT_THAT(warning(classic({"fprocess=cat", "exec_timeout=31s"})), HasSubstr("exec_timeout (31s)"));
  EXPECT_EQ(warning(of({"fprocess=cat"})), "") << "both are 30 s: exec_timeout answers";
  EXPECT_EQ(warning(of({"fprocess=cat", "write_timeout=-1s", "exec_timeout=0"})), "");
  EXPECT_EQ(warning(of({"mode=static", "exec_timeout=0"})), "");
  EXPECT_EQ(warning(classic({"fprocess=cat"})), "") << "no limit is what it comes with";
  EXPECT_TRUE(answers_may_be_late(*classic({"fprocess=cat"})));
}

TEST(Settings, EveryRowIsDescribedWithItsDefault) {
  EXPECT_THAT(describe_settings(Program::of_watchdog), HasSubstr("function_process, fprocess"));
  EXPECT_THAT(describe_settings(Program::of_watchdog), HasSubstr("(default application/octet-stream)"));
  EXPECT_THAT(describe_settings(Program::classic), HasSubstr("combine_output"));
}

TEST(Quoted, EscapesWhatWouldHideInALog) {
  EXPECT_EQ(quoted("a\"b\\\n\x01"), "\"a\\\"b\\\\\\n\\x01\"");
}

Command command(std::initializer_list<const char*> arguments) {
  return parse_command_line(Program::of_watchdog, {arguments.begin(), arguments.size()});
}

TEST(CommandLine, TakesOneOrTwoDashesAndTruths) {
  using What = Command::What;
  EXPECT_EQ(command({}).what, What::serve);
  EXPECT_EQ(command({"-version"}).what, What::version);
  EXPECT_EQ(command({"--run-healthcheck=true"}).what, What::healthcheck);
  EXPECT_EQ(command({"--run-healthcheck=false"}).what, What::serve);
  EXPECT_EQ(command({"anything", "-bogus"}).what, What::serve);
}

TEST(CommandLine, NamesWhatItDoesNotKnow) {
  EXPECT_EQ(command({"-bogus"}).exit_code, 2);
  EXPECT_THAT(command({"-bogus"}).text, HasSubstr("flag provided but not defined: -bogus"));
  EXPECT_EQ(command({"-version=x"}).exit_code, 2);
  EXPECT_THAT(command({"-version=x"}).text,
              HasSubstr("invalid boolean value \"x\" for -version: parse error"));
  EXPECT_EQ(command({"--help"}).exit_code, 0);
  EXPECT_THAT(command({"--help"}).text, HasSubstr("upstream_url"));
}

// The reference page is printed by the programs. To print it again: FAAS_WRITE_DOCS=1 watchdog_test
// --gtest_filter='ReferencePage.*'
TEST(ReferencePage, SaysWhatTheProgramsSay) {
  const std::string page =
      "# of-watchdog and fwatchdog: reference\n\nPrinted by the programs' own tables; a test compares it. "
      "Durations are seconds or like `1m30s`.\n\n## of-watchdog\n\n" +
      document_settings(Program::of_watchdog) + "\n## fwatchdog (classic)\n\n" +
      document_settings(Program::classic);
  const std::string path = FAAS_SOURCE_DIR "/docs/reference-watchdogs.md";
  if (std::getenv("FAAS_WRITE_DOCS") != nullptr) std::ofstream(path) << page;
  std::ifstream file(path);
  const std::string written((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(written, page);
}

}  // namespace
}  // namespace faas::watchdog
