//! Images for Amazon's cards: the stage that uploads a design, asks for its image under a token of the
//! stage's own, and waits for it without a slot.

use super::vendor::{self, NOT_SET_UP, SetUp};
use super::{FlowSettings, PlanError};
use crate::cause::CauseKind::{self, Access, Image, WorkerTrouble};
use crate::label::Need;
use crate::plan::{FailureRule, PlannedStage, Poll, Run, Step};
use crate::stage::StageName;

/// What the original had for it, and what an upload of some hundred megabytes takes.
const CLEAN_LIMIT_S: u64 = 60;
const CREATE_LIMIT_S: u64 = 3_600;
const ASK_LIMIT_S: u64 = 120;
/// What the service's client reads of its environment: who it is, and where the service.
const LOGIN: [&str; 12] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
    "AWS_ENDPOINT_URL",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_MAX_ATTEMPTS",
];
/// The exit code where nothing was built that an image could be made of.
const NOTHING_BUILT: i32 = 97;

/// What the design's name in the bucket is: the same for every attempt of a round, so that the service is
/// asked for the same thing.
fn key(settings: &FlowSettings) -> String {
    format!("{}/{{token}}.tar", settings.s3_dcp.trim_matches('/'))
}

/// The stage of a design that `xocc` or `v++` has linked: AWS' own script makes the image.
pub(super) fn of_xclbin(set_up: SetUp<'_>, settings: &FlowSettings) -> Result<PlannedStage, PlanError> {
    let bucket = bucket(settings)?;
    let clean =
        "cd xclbin 2>/dev/null || exit 0; rm -rf to_aws ./*afi_id.txt ./*.tar ./*agfi_id.txt manifest.txt";
    let mut clean = Run::new("clean-up", ["bash", "-c", clean]);
    clean.time_limit_s = Some(CLEAN_LIMIT_S);
    let words = [
        format!("-s3_bucket={bucket}"),
        format!("-s3_dcp_key={}", settings.s3_dcp),
        format!("-s3_logs_key={}", settings.s3_log),
    ];
    let mut create = client("image", set_up.command(CREATE_OF_XCLBIN, words));
    create.env.insert("AFI_BUCKET".to_owned(), bucket.to_owned());
    create.env.insert("AFI_KEY".to_owned(), key(settings));
    create.env.insert("AFI_TOKEN".to_owned(), "{token}".to_owned());
    Ok(stage(vec![clean, tells_ids(create)], settings))
}

/// The stage of a checkpoint that the HDK has packed.
pub(super) fn of_checkpoint(settings: &FlowSettings) -> Result<PlannedStage, PlanError> {
    let bucket = bucket(settings)?;
    let key = key(settings);
    let upload = client(
        "upload",
        ["bash", "-c", UPLOAD, "bash", &format!("s3://{bucket}/{key}")].map(str::to_owned),
    );
    let (input, logs) = (
        format!("Bucket={bucket},Key={key}"),
        format!("Bucket={bucket},Key={}", settings.s3_log),
    );
    let create = [
        "aws",
        "ec2",
        "create-fpga-image",
        "--name",
        "{token}",
        "--input-storage-location",
        &input,
        "--logs-storage-location",
        &logs,
        "--client-token",
        "{token}",
        "--output",
        "json",
    ];
    let create = client("image", create.map(str::to_owned));
    Ok(stage(vec![upload, tells_ids(create)], settings))
}

fn bucket(settings: &FlowSettings) -> Result<&str, PlanError> {
    settings
        .s3_bucket
        .as_deref()
        .filter(|bucket| !bucket.is_empty())
        .ok_or_else(|| PlanError::Contradiction {
            what: "mode `hw`".into(),
            with: "this server, which has no bucket to make images in".into(),
            remedy: "have its operator set S3_BUCKET, or choose an emulation".into(),
        })
}

fn stage(before: Vec<Run>, settings: &FlowSettings) -> PlannedStage {
    let steps = before.into_iter().map(Step::Run);
    PlannedStage {
        name: StageName::Afi,
        needs: vec![Need::tool("aws")],
        steps: steps.chain([Step::Poll(wait(settings))]).collect(),
        time_limit_s: settings.afi_time_limit_s + CREATE_LIMIT_S,
        reports: Vec::new(),
        bitstream: None,
        discard: Vec::new(),
        network: true,
    }
}

/// The AWS-side wait: what the image's state says, in the original's words.
fn wait(settings: &FlowSettings) -> Poll {
    let words = [
        "aws",
        "ec2",
        "describe-fpga-images",
        "--fpga-image-ids",
        "{afi}",
        "--query",
        "join(' ', ['AFI status:', FpgaImages[0].State.Code, FpgaImages[0].State.Message || ''])",
        "--output",
        "text",
    ];
    let mut ask = client("image state", words.map(str::to_owned));
    ask.time_limit_s = Some(ASK_LIMIT_S);
    Poll {
        ask,
        done: "^AFI status: available".to_owned(),
        pending: format!("^AFI status: pending|{AWAY}"),
        every_s: settings.afi_check_interval_s,
        deadline_s: settings.afi_time_limit_s,
        too_late: format!(
            "the image was not ready within {} s (AFI_TIMEOUT); it is not given up: `polyphemus retry ID --from afi` \
             waits for the same one on",
            settings.afi_time_limit_s
        ),
    }
}

/// A step that speaks to AWS.
fn client(title: &str, argv: impl IntoIterator<Item = String>) -> Run {
    let mut run = vendor::tool(title, argv);
    run.inherit.extend(LOGIN.map(str::to_owned));
    run.env.insert("AWS_PAGER".to_owned(), String::new());
    run.time_limit_s = Some(CREATE_LIMIT_S);
    run.failures = failures();
    run
}

fn tells_ids(mut create: Run) -> Run {
    let tells = [
        ("afi", r#""FpgaImageId": *"(afi-[0-9a-f]+)""#),
        ("agfi", r#""FpgaImageGlobalId": *"(agfi-[0-9a-f]+)""#),
    ];
    create.tells = tells
        .map(|(name, line)| (name.to_owned(), line.to_owned()))
        .into();
    create
}

/// How the client tells that the service does not answer now.
const AWAY: &str = r"\((RequestLimitExceeded|Throttling\w*|RequestThrottled\w*|TooManyRequests\w*|SlowDown|InternalError|InternalFailure|ServiceUnavailable|Unavailable|RequestTimeout)\)|Could not connect to the endpoint URL|Connect timeout on|Read timeout on|Connection was closed before";

fn failures() -> Vec<FailureRule> {
    let rule = |line: &str, kind: CauseKind, message: &str| FailureRule {
        exit_code: None,
        line: Some(line.to_owned()),
        kind,
        message: message.to_owned(),
    };
    vec![
        FailureRule {
            exit_code: Some(NOT_SET_UP),
            ..rule(
                "^polyphemus: ",
                WorkerTrouble,
                "this worker's environment for images cannot be set up; the worker's operator has to look at the line below",
            )
        },
        FailureRule {
            exit_code: Some(NOTHING_BUILT),
            ..rule(
                "^Cannot find ",
                CauseKind::MissingOutput,
                "the build has left nothing to make an image of; the line below names what is expected where",
            )
        },
        rule(
            r"\((RequestExpired|ExpiredToken\w*|AuthFailure|UnauthorizedOperation|InvalidClientTokenId|InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied\w*|UnrecognizedClientException|OptInRequired|Blocked|PendingVerification)\)|Unable to locate credentials|(?i)token.* has expired|Partial credentials found|config profile .* could not be found|You must specify a region",
            Access,
            "AWS does not take this worker's login, or does not let it do this (the line below has its words); once the \
             operator has renewed it, `polyphemus retry ID --from afi` goes on with the same image",
        ),
        rule(
            "^AFI status: unavailable",
            Image,
            "AWS has made the image but does not offer it any more (the line below has its words); `polyphemus retry \
             ID --from afi` has a new one made",
        ),
        rule(
            "^AFI status: failed",
            Image,
            "AWS could make no image of the design; the line below has its code, and the logs in the bucket say more",
        ),
        rule(
            r"\(InvalidFpgaImageID\.\w+\)",
            Image,
            "AWS knows no such image (any more); `polyphemus retry ID --from afi` has a new one made",
        ),
        rule(
            r"\(IdempotentParameterMismatch\)",
            Image,
            "an image was asked for before with other settings of the bucket; `polyphemus retry ID --from afi` has a \
             new one made",
        ),
        rule(
            AWAY,
            WorkerTrouble,
            "AWS does not answer; it is tried again later by itself",
        ),
        rule(
            r"An error occurred \(\w[\w.]*\)|^upload failed: |(?i)^error: ",
            Image,
            "AWS has refused to make an image; the line below has its words",
        ),
    ]
}

/// AWS' script uploads the design and asks for the image. Its calls of `aws` go through one of ours, which
/// puts the upload where the stage's token says, and adds the token: so every attempt asks for the same.
const CREATE_OF_XCLBIN: &str = r#"f=
for one in xclbin/*hw.*.xclbin; do [ -f "$one" ] && { f=${one##*/}; break; }; done
[ -n "$f" ] || { echo "Cannot find .xclbin file for AFI generation: xclbin/*hw.*.xclbin is expected" >&2; exit 97; }
export AFI_CLIENT=$(command -v aws)
shim=$(mktemp -d) || exit
cat >"$shim/aws" <<'END'
#!/usr/bin/env bash
words=() last= call="$1 $2"
for word; do
    case "$call:$last:$word" in
        "s3 cp":*:s3://*.tar) word=s3://$AFI_BUCKET/$AFI_KEY ;;
        "ec2 create-fpga-image":--input-storage-location:*) word=Bucket=$AFI_BUCKET,Key=$AFI_KEY ;;
    esac
    words+=("$word") last=$word
done
[ "$call" != "ec2 create-fpga-image" ] || words+=(--client-token "$AFI_TOKEN")
exec "$AFI_CLIENT" "${words[@]}"
END
chmod +x "$shim/aws" && export PATH=$shim:$PATH
cd xclbin && "$SDACCEL_DIR/tools/create_sdaccel_afi.sh" "-xclbin=$f" "$@" || exit
cat ./*afi_id.txt"#;

/// The newest: their names begin with the time.
const UPLOAD: &str = r#"tar=
for one in build/checkpoints/*.tar; do [ -f "$one" ] && tar=$one; done
[ -n "$tar" ] || { echo "Cannot find a checkpoint for AFI generation: build/checkpoints/*.tar is expected" >&2; exit 97; }
exec aws s3 cp --no-progress "$tar" "$1""#;
