# A stand-in for the set-up script of AWS' kit: to be read by bash, in its own folder.
export SDACCEL_DIR=$PWD/SDAccel
export AWS_PLATFORM=$PWD/xilinx_aws-vu9p-f1-stand-in_1.xpfm
echo "INFO: stand-in, no real kit"
