#!/usr/bin/env bash
# A stand-in for AWS' script that makes an image of an .xclbin: takes its options, refuses leftovers, packs and
# uploads what there is, asks for the image, and leaves the files that the real one leaves.
set -e
fail() { echo "ERROR: $*" >&2; exit 1; }
xclbin= out= bucket= dcp= logs=
for word; do
    case $word in
        -xclbin=*) xclbin=${word#*=} ;;
        -o=*) out=${word#*=} ;;
        -s3_bucket=*) bucket=${word#*=} ;;
        -s3_dcp_key=*) dcp=${word#*=} ;;
        -s3_logs_key=*) logs=${word#*=} ;;
        *) fail "unknown option $word" ;;
    esac
done
[ -f "$xclbin" ] || fail "File $xclbin not found"
[ -n "$bucket" ] && [ -n "$dcp" ] || fail "-s3_bucket and -s3_dcp_key are mandatory"
name=$(basename "$xclbin" .xclbin)
out=${out:-$name}
[ ! -e to_aws ] || fail "to_aws/ exists already"
[ ! -e "$out.awsxclbin" ] || fail "$out.awsxclbin exists already"
time=$(date +%y_%m_%d-%H%M%S)
mkdir to_aws
cp "$xclbin" "to_aws/${time}_SH_CL_routed.dcp"
hash=$(sha256sum "$xclbin" | cut -d' ' -f1)
printf '%s\n' manifest_format_version=2 pci_vendor_id=0x1D0F pci_device_id=0xF010 "dcp_hash=$hash" \
    "dcp_file_name=${time}_SH_CL_routed.dcp" shell_version=0x04261818 tool_version=v2019.1 >"to_aws/${time}_manifest.txt"
tar=${time}_Developer_SDAccel_Kernel.tar
tar -cf "$tar" to_aws
aws s3 cp --no-progress "$tar" "s3://$bucket/$dcp/$tar"
aws ec2 create-fpga-image --name "$name" --description "$name" --output json \
    --input-storage-location "Bucket=$bucket,Key=$dcp/$tar" \
    --logs-storage-location "Bucket=$bucket,Key=${logs:-logs}" >"${time}_afi_id.txt"
sed -n 's/.*"FpgaImageGlobalId": "\(.*\)".*/\1/p' "${time}_afi_id.txt" >"${time}_agfi_id.txt"
cat "$xclbin" "${time}_agfi_id.txt" >"$out.awsxclbin"
