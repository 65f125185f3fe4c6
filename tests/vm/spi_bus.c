// SPDX-License-Identifier: GPL-2.0
/*
 * An SPI bus with one chip, /dev/spidev0.0, that a process plays: it reads what was sent from
 * /dev/spi-chip, one transfer at a time, and writes as many bytes in answer. While no process has it
 * open, the wires are dead: every byte that comes back is zero.
 */
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/spi/spi.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#define LONGEST 4096

static u8 sent[LONGEST], answer[LONGEST];
static size_t asked; /* bytes of the transfer that waits for its answer; 0: none does */
static bool is_played;
static DEFINE_MUTEX(lock); /* over all of the above */
static DECLARE_WAIT_QUEUE_HEAD(something_sent);
static DECLARE_COMPLETION(answered);

static struct device *board;
static struct spi_controller *bus;

static int carry_out(struct spi_transfer *transfer)
{
	bool waits = false;

	if (transfer->len > LONGEST)
		return -EMSGSIZE;
	mutex_lock(&lock);
	memset(sent, 0, sizeof(sent));
	memset(answer, 0, sizeof(answer));
	if (transfer->tx_buf)
		memcpy(sent, transfer->tx_buf, transfer->len);
	if (is_played && transfer->len) {
		reinit_completion(&answered);
		asked = transfer->len;
		waits = true;
	}
	mutex_unlock(&lock);
	if (waits) {
		wake_up(&something_sent);
		wait_for_completion(&answered); /* it comes: if not from the process, from its end */
	}
	if (transfer->rx_buf)
		memcpy(transfer->rx_buf, answer, transfer->len);
	return 0;
}

static int carry_out_message(struct spi_controller *controller, struct spi_message *message)
{
	struct spi_transfer *transfer;

	message->status = 0;
	list_for_each_entry(transfer, &message->transfers, transfer_list) {
		message->status = carry_out(transfer);
		if (message->status)
			break;
		message->actual_length += transfer->len;
	}
	spi_finalize_current_message(controller);
	return 0;
}

static int chip_open(struct inode *inode, struct file *file)
{
	int refused;

	mutex_lock(&lock);
	refused = is_played ? -EBUSY : 0;
	is_played = true;
	mutex_unlock(&lock);
	return refused;
}

static int chip_release(struct inode *inode, struct file *file)
{
	mutex_lock(&lock);
	is_played = false;
	if (asked)
		complete(&answered);
	asked = 0;
	mutex_unlock(&lock);
	return 0;
}

static ssize_t chip_read(struct file *file, char __user *to, size_t room, loff_t *position)
{
	ssize_t length;

	if (wait_event_interruptible(something_sent, READ_ONCE(asked)))
		return -ERESTARTSYS;
	mutex_lock(&lock);
	length = asked;
	if (room < length)
		length = -EMSGSIZE;
	else if (copy_to_user(to, sent, length))
		length = -EFAULT;
	mutex_unlock(&lock);
	return length;
}

static ssize_t chip_write(struct file *file, const char __user *from, size_t length, loff_t *position)
{
	ssize_t taken = length;

	mutex_lock(&lock);
	if (!length || length != asked) {
		taken = -EINVAL;
	} else if (copy_from_user(answer, from, length)) {
		taken = -EFAULT;
	} else {
		asked = 0;
		complete(&answered);
	}
	mutex_unlock(&lock);
	return taken;
}

static const struct file_operations chip_operations = {
	.owner = THIS_MODULE,
	.open = chip_open,
	.release = chip_release,
	.read = chip_read,
	.write = chip_write,
};

static struct miscdevice chip = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "spi-chip",
	.fops = &chip_operations,
};

/* One of the names that the kernel's spidev takes. */
static struct spi_board_info on_the_bus = {
	.modalias = "ltc2488",
	.max_speed_hz = 10000000,
};

static int __init bus_init(void)
{
	int problem;

	board = root_device_register("spi-bus-of-a-process");
	if (IS_ERR(board))
		return PTR_ERR(board);
	problem = -ENOMEM;
	bus = __spi_alloc_controller(board, 0, false);
	if (!bus)
		goto no_bus;
	bus->bus_num = 0;
	bus->num_chipselect = 1;
	bus->mode_bits = SPI_CPOL | SPI_CPHA | SPI_CS_HIGH | SPI_LSB_FIRST;
	bus->bits_per_word_mask = SPI_BPW_MASK(8);
	bus->transfer_one_message = carry_out_message;
	problem = misc_register(&chip);
	if (problem)
		goto no_chip;
	problem = spi_register_controller(bus);
	if (problem)
		goto not_registered;
	if (spi_new_device(bus, &on_the_bus))
		return 0;
	problem = -ENODEV;
	spi_unregister_controller(bus); /* gives it back, too */
	misc_deregister(&chip);
	root_device_unregister(board);
	return problem;

not_registered:
	misc_deregister(&chip);
no_chip:
	spi_controller_put(bus);
no_bus:
	root_device_unregister(board);
	return problem;
}

static void __exit bus_exit(void)
{
	spi_unregister_controller(bus);
	misc_deregister(&chip);
	root_device_unregister(board);
}

module_init(bus_init);
module_exit(bus_exit);
MODULE_DESCRIPTION("An SPI bus whose chip is a process");
MODULE_LICENSE("GPL");
